"""Addresses that must not be dialled, in every spelling: the corpus of test_guard.py."""

from __future__ import annotations

# Each leads to a listener if it is read generously, or to where a cloud keeps its secrets. The last ones name the
# allowed origin, spelled another way. {port} is the listener's of IPv4, {port6} that of IPv6.
SPELLINGS = """
    http://127.0.0.1:{port}/a  //127.0.0.1:{port}/a  http://localhost:{port}/a  http://LOCALHOST.:{port}/a
    http://127.1:{port}/a  http://127.0.1:{port}/a  http://127.0.0.1.:{port}/a  http://127.255.255.254:{port}/a
    http://2130706433:{port}/a  http://0x7f000001:{port}/a  http://0X7F.1:{port}/a  http://0x7f.0x0.0x0.0x1:{port}/a
    http://017700000001:{port}/a  http://0177.0.0.1:{port}/a  http://0177.0.0.01:{port}/a  http://127.0x0.00.1:{port}/a
    http://0.0.0.0:{port}/a  http://0:{port}/a  http://0x0:{port}/a  http://00:{port}/a
    http://１２７.０.０.１:{port}/a  http://127。0。0。1:{port}/a  http://①②⑦.⓪.⓪.①:{port}/a  http://127․0․0․1:{port}/a
    http://١٢٧.٠.٠.١:{port}/a  http://१२७.०.०.१:{port}/a  http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/a  http://local­host:{port}/a
    http://%31%32%37.0.0.1:{port}/a  http://127.0.0.1%2f:{port}/a  http://127.0.0.1%00.example.com:{port}/a
    http://a.localhost:{port}/a  http://localhost.localdomain:{port}/a  http://ip6-localhost:{port6}/a
    http://[::1]:{port6}/a  http://[0:0::1]:{port6}/a  http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port6}/a
    http://[::]:{port6}/a  http://[::0.0.0.1]:{port6}/a  http://[::1%25lo]:{port6}/a  http://[::1%lo]:{port6}/a
    http://[::ffff:127.0.0.1]:{port}/a  http://[::ffff:7f00:1]:{port}/a  http://[0:0:0:0:0:ffff:7f00:0001]:{port}/a
    http://[::127.0.0.1]:{port}/a  http://[::ffff:0:127.0.0.1]:{port}/a  http://[::ffff:0.0.0.0]:{port}/a
    http://[64:ff9b::7f00:1]:{port}/a  http://[64:ff9b::127.0.0.1]:{port}/a  http://[64:ff9b:1::7f00:1]:{port}/a
    http://[2002:7f00:1::]:{port}/a  http://[2002:7f00:0001::1]:{port}/a  http://[2001:0:7f00:1::80ff:fffe]:{port}/a
    http://[fe80::1]:{port6}/a  http://[fe80::1%25eth0]:{port6}/a  http://[fec0::1]:{port6}/a  http://[fc00::1]:{port6}/a
    http://[ff02::1]:{port6}/a  http://[100::1]:{port6}/a  http://[2001:db8::1]:{port6}/a  http://[3fff::1]:{port6}/a
    http://169.254.169.254/latest/meta-data/  http://2852039166/  http://0xa9fea9fe/  http://0251.0376.0251.0376/
    http://[::ffff:169.254.169.254]/  http://[64:ff9b::a9fe:a9fe]/  http://[fd00:ec2::254]/  http://[fd20:ce::254]/
    http://metadata.google.internal/  http://metadata.internal./  http://100.100.100.200/  http://192.0.0.192/
    http://168.63.129.16/  http://169.254.170.2/  http://10.0.0.1/  http://172.16.0.1/  http://192.168.0.1/  http://100.64.0.1/
    http://198.18.0.1/  http://224.0.0.1/  http://255.255.255.255/  http://router.home.arpa/  http://printer.local/
    http://user@127.0.0.1:{port}/a  http://user:secret@127.0.0.1:{port}/a  http://@127.0.0.1:{port}/a
    http://{origin}@127.0.0.1:{port}/a  http://{origin}%40127.0.0.1:{port}/a  http://{origin}\\@127.0.0.1:{port}/a
    https://127.0.0.1:{port}/a  ftp://127.0.0.1:{port}/a  gopher://127.0.0.1:{port}/a  telnet://127.0.0.1:{port}/a
    ws://127.0.0.1:{port}/a  dict://127.0.0.1:{port}/a  smb://127.0.0.1:{port}/a  file:///etc/hostname  jar:http://127.0.0.1:{port}!/a
    data:video/mp2t;base64,RwAA  blob:http://127.0.0.1:{port}/a  javascript:alert(1)  \\\\127.0.0.1:{port}\\a
    http://localhost:{origin_port}/0.ts  http://2130706433:{origin_port}/0.ts  http://127.0.0.1.:{origin_port}/0.ts
    http://[::ffff:127.0.0.1]:{origin_port}/0.ts  http://127.0.0.1:0/a  http://127.0.0.1:65536/a
""".split()

# Names, and what a resolver says of them. The public ones are never reached: the others forbid that.
ANSWERS = {
    "inside.test": ["127.0.0.1"],
    "first.test": ["127.0.0.1", "93.184.216.34"],
    "last.test": ["93.184.216.34", "2606:4700::1111", "127.0.0.1"],
    "six.test": ["2606:4700::1111", "::1"],
    "any.test": ["0.0.0.0"],  # noqa: S104 - an answer, not bound
    "mapped.test": ["::ffff:127.0.0.1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "6to4.test": ["2002:7f00:1::1"],
    "teredo.test": ["2001:0:7f00:1::80ff:fffe"],
    "scoped.test": ["fe80::1%1"],
    "metadata.test": ["169.254.169.254"],
    "127.0.0.1.nip.test": ["127.0.0.1"],
}

# Runs in the service's process at its start, in place of the machine's resolver.
RESOLVER = f"""
import ipaddress, socket

ANSWERS = {ANSWERS!r}
ask = socket.getaddrinfo


def getaddrinfo(host, port, *arguments, **options):
    if host not in ANSWERS:
        return ask(host, port, *arguments, **options)
    families = [socket.AF_INET6 if ":" in ip else socket.AF_INET for ip in ANSWERS[host]]
    found = zip(families, ANSWERS[host])
    return [(family, socket.SOCK_STREAM, 6, "", (ip, port)) for family, ip in found]


socket.getaddrinfo = getaddrinfo
"""
