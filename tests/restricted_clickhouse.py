"""The built-in ClickHouse whose user has the given rights only.

The engine takes the rights of its one user from a file. Run it like `python -m embedded`, with the
name of that file, which it writes, and a `GRANT` for each further argument.
"""

import sys
from pathlib import Path
from xml.sax.saxutils import escape

from embedded import __main__ as embedded
from embedded import engine

_USERS = """<clickhouse>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users><default>
        <password></password>
        <networks><ip>::/0</ip></networks>
        <profile>default</profile>
        <quota>default</quota>
        <grants>{grants}</grants>
    </default></users>
</clickhouse>
"""

# The built-in server makes a first table when it starts; a server of its own does not need this.
_OWN = "GRANT CREATE ARBITRARY TEMPORARY TABLE ON *.*"


def main(path, grants):
    """Write the file and serve."""
    text = "".join(f"<query>{escape(grant)}</query>" for grant in [*grants, _OWN])
    Path(path).write_text(_USERS.format(grants=text), encoding="utf-8")
    addition = (
        f"<user_directories replace='1'><users_xml><path>{path}</path></users_xml>"
        f"</user_directories><users_config>{path}</users_config></clickhouse>"
    )
    engine._CONFIG = engine._CONFIG.replace("</clickhouse>", addition)
    return embedded.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
