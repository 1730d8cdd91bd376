"""Systems on a ClickHouse cluster; a package, so that what its tests share stops with them."""
