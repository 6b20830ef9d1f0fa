"""The corpus of addresses: what may be fetched, and every spelling of what must not be."""

from ipaddress import ip_address

import pytest

from domain.addresses import check_url, is_public, redact
from domain.errors import BlockedUrlError

NONE = frozenset[tuple[str, int]]()

SENT = {
    "http://Example.COM": "http://example.com/",
    "https://example.com:443/a": "https://example.com/a",
    "http://example.com:8080/a?b=c#d": "http://example.com:8080/a?b=c",
    "http://example.com:/a": "http://example.com/a",
    "http://example.com./a": "http://example.com/a",
    "http://example.com/a b/ü.ts?t=ä b": "http://example.com/a%20b/%C3%BC.ts?t=%C3%A4%20b",
    "http://example.com/a%2fb%zz?sig=a%2Fb+c~d|e": "http://example.com/a%2fb%zz?sig=a%2Fb+c~d|e",
    'http://example.com/{a}"<b>': "http://example.com/%7Ba%7D%22%3Cb%3E",
    "http://bücher.example/": "http://xn--bcher-kva.example/",
    "http://例え。テスト/": "http://xn--r8jz45g.xn--zckzah/",
    "http://ｅｘａｍｐｌｅ.com/": "http://example.com/",
    "http://my_bucket.example.com/": "http://my_bucket.example.com/",
    "http://8.8.8.8/": "http://8.8.8.8/",
    "http://0x08080808/": "http://8.8.8.8/",
    "https://[2606:4700:0::1111]:8443/": "https://[2606:4700::1111]:8443/",
}

BLOCKED = [
    # no http(s) URL at all
    "",
    "example.com/a",
    "//example.com/a",
    "http:example.com",
    "http:///a",
    "http://:80/a",
    "ftp://example.com/a",
    "file:///etc/passwd",
    "javascript:alert(1)",
    # user info, and what some readers take for it
    "http://user:password@example.com/",
    "http://user@example.com/",
    "http://@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\uff20127.0.0.1/",
    # control characters and white space
    " http://example.com/",
    "http://example.com/\n",
    "http://exam\tple.com/",
    "http://example.com/a\x00b",
    "http://example.com/a\x85b",
    "http://example.com/\ud800",
    "http://exam ple.com/",
    "http://example.com\r\nHost: other/",
    # ports and hosts that do not exist
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:-1/",
    "http://example.com:８０/",
    "http://example.com:80:80/",
    "http://example..com/",
    "http://.example.com/",
    "http://example,com/",
    f"http://{'a' * 64}.com/",
    f"http://{'a.' * 130}com/",
    "http://[::1/",
    "http://::1/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://6425673729/",
    "http://08.8.8.8/",
    # loopback, in every spelling
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0X7F.0X0.0X0.0X1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://127\uff0e0\uff0e0\uff0e1/",
    "http://127\u20240\u20240\u20241/",
    "http://①②⑦.⓪.⓪.①/",
    "http://١٢٧.٠.٠.١/",
    "http://१२७.०.०.१./",
    "http://127.0.0.१/",
    "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "http://local\u00adhost/",
    "http://media.localhost/",
    "http://localhost.localdomain/",
    "http://ip6-localhost/",
    # private, link-local, metadata
    "http://0/",
    "http://10.1.2.3/",
    "http://172.31.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0xa9fea9fe/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://router.home.arpa/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/",
    "http://[::]/",
]

PUBLIC = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111"]
NOT_PUBLIC = """
    0.0.0.0 10.0.0.1 100.64.0.1 127.255.255.255 168.63.129.16 169.254.0.1 172.16.0.1 192.0.0.1 192.0.2.1
    192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
    240.0.0.1 255.255.255.255 :: ::1 ::8.8.8.8 ::ffff:10.0.0.1 ::ffff:0:808:808 64:ff9b::a00:1 64:ff9b:1::808:808
    100::1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:808:808::1 3fff::1 5f00::1 fc00::1
    fdff::1 fe80::1 febf::1 fec0::1 ff02::1
""".split()


@pytest.mark.parametrize(("url", "sent"), SENT.items())
def test_sends_one_spelling(url: str, sent: str) -> None:
    assert check_url(url, NONE).url == sent


@pytest.mark.parametrize("url", BLOCKED)
def test_blocks(url: str) -> None:
    with pytest.raises(BlockedUrlError):
        check_url(url, NONE)


def test_address_of_a_name() -> None:
    address = check_url("https://Media.Example:8443/a?token=secret", NONE)

    assert (address.scheme, address.host, address.port, address.ip) == ("https", "media.example", 8443, None)
    assert "secret" not in repr(address)


def test_address_of_a_literal() -> None:
    address = check_url("http://[2606:4700:0:0::1111]/", NONE)

    assert (address.host, address.port, address.ip) == ("2606:4700::1111", 80, ip_address("2606:4700::1111"))


def test_length_is_bounded_where_the_caller_says() -> None:
    url = "http://example.com/".ljust(2_000, "a")

    assert check_url(url, NONE).url == url
    with pytest.raises(BlockedUrlError):
        check_url(url + "a", NONE)
    assert check_url(url + "a", NONE, max_length=2_001).url == url + "a"


def test_allows_host_and_port_together_as_they_are_written() -> None:
    allowed = frozenset({("127.0.0.1", 8080), ("localhost", 80), ("::1", 8080)})

    for url in ("http://127.0.0.1:8080/", "http://LocalHost/", "http://[::1]:8080/"):
        assert check_url(url, allowed).port in (8080, 80)
    for url in ("http://127.0.0.1/", "http://127.1:8080/", "http://localhost:8080/", "http://[::1]/"):
        with pytest.raises(BlockedUrlError):
            check_url(url, allowed)


@pytest.mark.parametrize("ip", PUBLIC)
def test_public(ip: str) -> None:
    assert is_public(ip_address(ip))


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_not_public(ip: str) -> None:
    assert not is_public(ip_address(ip))


def test_redact_leaves_scheme_host_and_path() -> None:
    url = "https://user:password@example.com:8443/a b/c.ts?token=secret#part"

    assert redact(url) == "https://example.com:8443/a%20b/c.ts"
    assert redact("http://[::1") == "(not a URL)"
