import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.hosts import Host, read_hosts

PORTS = st.integers(1, 65535)
NAMES = st.from_regex(
    r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True
) | st.ip_addresses().map(str)


@given(st.lists(st.builds(Host, NAMES, PORTS, PORTS), min_size=1, unique=True))
def test_every_list_of_hosts_is_read_as_it_was_written(hosts):
    named = [f"[{each.name}]" if ":" in each.name else each.name for each in hosts]
    text = ", ".join(
        f"{name}:{each.port}:{each.http_port}" for name, each in zip(named, hosts, strict=True)
    )
    assert read_hosts(text, 1, 2) == tuple(hosts)


def test_a_port_that_is_not_named_is_the_usual_one():
    assert read_hosts("a,b:9001 , [::1]:9002:8002", 9000, 8123) == (
        Host("a", 9000, 8123),
        Host("b", 9001, 8123),
        Host("::1", 9002, 8002),
    )


def test_an_ipv6_address_is_in_brackets_in_a_url():
    [host] = read_hosts("[::1]", 9000, 8123)
    assert (host.url, host.name) == ("[::1]:8123", "::1")


@pytest.mark.parametrize(
    "text", ["a b", "a:", "a:b", "a:0", "a:65536", "a:1:2:3", "::1", "http://a", "a,,b:x"]
)
def test_what_is_not_a_host_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match="write host, host:port or host:port:http_port"):
        read_hosts(text, 9000, 8123)


def test_a_host_may_be_named_once():
    with pytest.raises(ValueError, match="twice"):
        read_hosts("a,a:9000", 9000, 8123)
