"""Web addresses: one way to read them, and which lead to the public internet."""

import ipaddress

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.tools.addresses import forbidden, inner_name, read
from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.fetching import Fetcher

# Every way of writing an address that is not public, or that two programs read in two ways.
# fmt: off
NOT_PUBLIC = [
    "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "2130706433", "017700000001", "0x7f000001",
    "0x7f.1", "0x7F.0x0.0x0.0x1", "0177.0.0.1", "0177.1", "127.0.0.01", "00000177.0.0.1", "0x0.0x0.0x0.0x0", "0",
    "0.0.0.0", "0.0.0.1", "0x", "1", "4294967295", "4294967296", "127.0.0.1.5", "127..0.1", ".127.0.0.1",
    "10.0.0.1", "10.255.255.255", "10.1", "0xa.1", "012.0.0.1", "167772161", "0x0a000001", "172.16.0.1",
    "172.31.255.255", "2886729729", "0254.020.0.1", "192.168.0.1", "192.168.1", "192.168.257", "3232235521",
    "0xc0a80001", "0300.0250.0.1", "192.168.0.1.nothing.123", "169.254.169.254", "169.254.0.1", "2852039166",
    "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "169.254.43518", "168.63.129.16", "192.0.0.192",
    "100.100.100.200", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::127.0.0.1]", "[::7f00:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]",
    "[::ffff:8.8.8.8]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[2001:10::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]",
    "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[fe80::1%251]", "[::1%25lo]", "[2600::1%25x]", "[febf::1]",
    "[fec0::1]", "[fc00::1]", "[fd00::1]", "[fd00:ec2::254]", "[fdff:ffff::1]", "[ff02::1]", "[ff0e::1]",
    "[100::1]", "[4000::1]", "[e000::1]", "localhost", "LOCALHOST", "localhost.", "sub.localhost", "printer.local",
    "metadata.google.internal", "router.lan", "nas.home.arpa", "x.onion", "127。0。0。1",
]
# fmt: on

# What is no address, or not one of the web.
NONSENSE = [
    "",
    " ",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:/example.com",
    "http:example.com",
    "http:///path",
    "http://",
    "https://?q",
    "http://user@example.com/",
    "http://user:pass@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\\.evil.com/",
    "http://example.com/a\\b",
    "http://exa mple.com/",
    "http://example.com\t/",
    "http://exam\nple.com/",
    "http://example.com/\r\nX: y",
    "http://example.com/a\0",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:-1/",
    "http://example.com:80:80/",
    "http://example.com:8x/",
    "http://example.com:٨٠/",
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:6379/",
    "http://%31%32%37.0.0.1/",
    "http://example%2ecom/",
    "http://１２７.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://ⓔxample.com/",
    "http://exa\u200bmple.com/",
    "http://exa\u202emple.com/",
    "http://a..b/",
    "http://-a.com/",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 150 + "com/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[1.2.3.4]/",
    "http://[example.com]/",
    "http://[]/",
    "http://::1/",
    "http://a[b]c/",
    "http://ex*mple.com/",
    "http://\ud800.com/",
    "https://example.com/" + "a" * 9000,
]

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "223.255.255.255",
    "[2606:4700::1111]",
    "[2001:4860:4860::8888]",
    "[2a00:1450::1]",
    "example.com",
    "sub.example.co.uk",
    "xn--bcher-kva.example",
    "under_score.example.com",
    "localhost.example.com",
    "10.0.0.1.example.com",
]


def test_the_table_is_a_large_one() -> None:
    assert len(set(NOT_PUBLIC)) > 100
    assert len(set(NONSENSE)) > 50


@pytest.mark.parametrize("host", NOT_PUBLIC)
@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_no_spelling_of_an_inner_address_is_fetched(scheme: str, host: str) -> None:
    with pytest.raises(ToolError):
        Fetcher().check(read(f"{scheme}://{host}/latest/meta-data?x=1"))
    with pytest.raises(ToolError):
        Fetcher().check(read(f"{scheme}://{host}:8080"))


@pytest.mark.parametrize("url", NONSENSE)
def test_what_is_no_address_of_the_web_is_refused_in_words(url: str) -> None:
    with pytest.raises(ToolError) as caught:
        read(url)
    assert str(caught.value)


@pytest.mark.parametrize("host", PUBLIC)
def test_what_is_public_may_be_asked_for(host: str) -> None:
    address = read(f"https://{host}/")
    Fetcher().check(address)
    assert str(address) == f"https://{host}/"


@pytest.mark.parametrize(
    ("written", "one_form"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:443/a", "http://example.com:443/a"),
        ("http://example.com:080/a", "http://example.com/a"),
        ("http://example.com:/a", "http://example.com/a"),
        ("http://example.com./a", "http://example.com/a"),
        ("https://example.com?q=a b", "https://example.com/?q=a%20b"),
        ("https://example.com/ä?ö=ü#part", "https://example.com/%C3%A4?%C3%B6=%C3%BC"),
        ("https://example.com/a%20b%2F", "https://example.com/a%20b%2F"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://例え。テスト/", "https://xn--r8jz45g.xn--zckzah/"),
        ("https://аpple.com/", "https://xn--pple-43d.com/"),
        ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        ("  https://example.com/  ", "https://example.com/"),
    ],
)
def test_an_address_has_one_form(written: str, one_form: str) -> None:
    assert str(read(written)) == one_form
    assert str(read(one_form)) == one_form


@given(st.integers(0, 2**32 - 1))
def test_a_public_ipv4_address_is_so_for_the_standard_library_too(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    if not forbidden(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0, 2**128 - 1), st.sampled_from([0x2000, 0x2001, 0x2002, 0x3FFF, 0xFE80, 0xFD00, 0x0064, 0]))
def test_a_public_ipv6_address_is_so_for_the_standard_library_too(number: int, start: int) -> None:
    address = ipaddress.IPv6Address(number & ((1 << 112) - 1) | start << 112)
    if not forbidden(address):
        assert address.is_global
        assert not address.is_multicast
        assert address.ipv4_mapped is None
        assert address.sixtofour is None
        assert address.teredo is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.com/{text}", f"http://example.com:{text}/"):
        try:
            address = read(url)
        except ToolError:
            continue
        assert str(address).isascii()
        assert str(address).isprintable()
        assert read(str(address)) == address


def test_a_listed_host_may_be_an_inner_one() -> None:
    fetcher = Fetcher(hosts={"localhost", "192.168.1.5:8080", "[::1]:3000"})
    for url in ("http://localhost/", "http://localhost:9999/", "http://192.168.1.5:8080/x", "http://[::1]:3000/"):
        fetcher.check(read(url))
    for url in ("http://127.0.0.1/", "http://192.168.1.5/", "http://a.localhost/", "http://[::1]/"):
        with pytest.raises(ToolError):
            fetcher.check(read(url))
    assert inner_name("localhost")


@pytest.mark.parametrize(
    ("start", "location", "stays"),
    [
        ("https://a.com/x", "/y", True),
        ("https://a.com/x", "y?z", True),
        ("https://a.com/x", "//a.com/y", True),
        ("https://a.com/x", "https://www.a.com/x", True),
        ("https://www.a.com/x", "https://a.com/x", True),
        ("http://a.com/x", "https://a.com/x", True),
        ("https://a.com/x", "http://a.com/x", False),
        ("https://a.com/x", "https://a.com:8443/x", False),
        ("https://a.com/x", "https://b.com/x", False),
        ("https://a.com/x", "//b.com", False),
        ("https://a.com/x", "https://a.com.evil.com/x", False),
        ("https://a.com/x", "https://sub.a.com/x", False),
    ],
)
def test_a_redirect_stays_with_its_site_or_is_another_call(start: str, location: str, stays: bool) -> None:
    address = read(start)
    assert address.stays(address.join(location)) == stays


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://a.com/",
        "https://u:p@a.com/",
        "http://a.com\\@b.com",
        "javascript:x",
        "//[",
        "/a\nb",
    ],
)
def test_a_redirect_to_what_is_no_address_is_refused(location: str) -> None:
    with pytest.raises(ToolError):
        read("https://a.com/x").join(location)
