"""Values that have broken programs before: of headers, of path segments and queries, of JSON, of whole bodies."""

from __future__ import annotations

import gzip
import zlib
from typing import Final

METHODS: Final = (
    b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI", b"BREW",
    b"QUERY", b"PROPFIND", b"MKCOL", b"LOCK", b"PURGE", b"M-SEARCH", b"SOURCE", b"get", b"Get", b"GETT", b"GE",
    b"G", b"", b"G T", b"GET\x00", b"\x00", b"\xff", b"G\xc3\x89T", b"GET\t", b"(GET)", b"GET,PUT", b"X" * 9000,
    b"HTTP/1.1", b"*",
)  # fmt: skip

VERSIONS: Final = (
    b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.10", b"HTTP/2", b"HTTP/2.0", b"HTTP/3", b"HTTP/9.9",
    b"HTTP/-1.1", b"http/1.1", b"HTTP", b"HTTP/", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTPS/1.1", b"RTSP/1.0",
    b"ICE/1.0", b"", b" ", b"HTTP/1.1 HTTP/1.1", b"HTTP/1.1 ", b" HTTP/1.1", b"HTTP/1.1\x00",
    b"HTTP/99999999999.1", b"\xff",
)  # fmt: skip

TEXTS: Final = (
    b"", b" ", b"\t", b"0", b"-1", b"1e309", b"NaN", b"null", b"undefined", b"true", b"9" * 400, b"0x10",
    b"x" * 300, b"\xc3\xa9", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbf",
    b"\xcc\x80" * 50, b"\xff\xfe", b"\x80", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf",
    b"../../etc/passwd", b"..\\..\\x", b"~root", b"<script>alert(1)</script>", b"' OR '1'='1",
    b"\"; DROP TABLE platforms; --", b"${jndi:ldap://192.0.2.1/a}", b"{{7*7}}", b"%s%n%x", b"$(id)", b"`id`",
    b"|id", b";", b",", b"=", b"&", b"*", b"?", b"#", b"/", b"\\", b"@", b":", b"a,b", b"a;b=c", b"\"", b"'", b"[",
    b"]", b"{", b"}", b"<", b">", b"^", b"|", b"%", b"%%", b"%00", b"%0d%0a", b"%2f", b"%zz", b"%u0041", b"%c3%28",
    b"%ed%a0%80", b"%25%32%35", b"http://127.0.0.1/", b"file:///etc/passwd", b"//[::1]:1", b"NL", b"nl", b"N",
    b"NLD", b"N\xc5\x81", b"TNM*", b"con", b"__proto__", b"constructor", b"__class__", b"$where",
)  # fmt: skip
"""Without control characters: those make a request that is no HTTP, and stand in `CONTROLS`."""

CONTROLS: Final = (
    *(bytes((sign,)) for sign in (*range(9), 11, 12, 14, 27, 31, 127)),
    b"a\rb", b"a\nb", b"a\r\n b", b"a\r\n\tb", b"a\0b", b"\n\n", b"\r", b"a\r\nno colon",
)  # fmt: skip
"""None of these may stand in a header's value, nor in a URL."""

HEADER_NAMES: Final = (
    b"Authorization", b"OCPI-to-country-code", b"OCPI-to-party-id", b"OCPI-from-country-code",
    b"OCPI-from-party-id", b"X-Request-ID", b"X-Correlation-ID", b"Content-Type", b"Content-Encoding",
    b"Content-Length", b"Transfer-Encoding", b"Host", b"Expect", b"Connection", b"Upgrade", b"Accept",
    b"Accept-Encoding", b"Cookie", b"Range", b"Date", b"TE", b"Trailer", b"If-Match", b"If-Modified-Since",
    b"X-Forwarded-For", b"Forwarded", b"X-HTTP-Method-Override", b"Via", b"Content-Range", b"Sec-WebSocket-Key",
    b"Sec-WebSocket-Key1", b"HTTP2-Settings", b"Keep-Alive", b"Origin", b"Max-Forwards",
)  # fmt: skip

WORDS: Final = (
    b"gzip", b"br", b"zstd", b"deflate", b"identity", b"compress", b"gzip, gzip", b"GZIP", b"chunked",
    b"chunked, chunked", b"chunked, identity", b"x, chunked", b"CHUNKED", b"100-continue", b"200-ok", b"close",
    b"keep-alive", b"upgrade", b"Upgrade, HTTP2-Settings", b"websocket", b"h2c", b"TLS/1.0",
    b"application/json; charset=utf-16", b"text/html", b"multipart/form-data; boundary=",
    b"application/x-www-form-urlencoded", b"Token", b"Token ", b"Token  a", b"Bearer a", b"Basic Og==",
    b"Digest x", b"Token " + b"A" * 1100, b"Token =", b"Token \xff", b"Token YQ==", b"Token YQ", b"token ccc",
    b"localhost", b"127.0.0.1:99999", b"[::1", b"a@b", b"http://x/", b"1, 1", b"+1", b"1_0", b"1.0",
    b"18446744073709551616", b"-5", b"99999999", b"bytes=0-", b"bytes=0-0,1-1,2-2",
    b"Thu, 01 Jan 1970 00:00:00 GMT", b"*", b"\"a\", W/\"b\"",
)  # fmt: skip

TARGETS: Final = (
    b"*", b"/", b"//", b"///", b"?", b"/?", b"#", b"/#a", b".", b"..", b"/..", b"/./", b"/ocpi", b"/ocpi/",
    b"ocpi/versions", b"/OCPI/VERSIONS", b"/ocpi//versions", b"//ocpi/versions", b"///[", b"//[", b"//a]b/",
    b"//x:y/", b"//:1", b"//@/", b"http://", b"http://[", b"http://[::1]/ocpi/versions", b"http://hub.example",
    b"http://hub.example:x/ocpi/versions", b"http://a@b/ocpi/versions", b"https://other.example/ocpi/versions",
    b"ftp://x/", b"file:///etc/passwd", b"x:y", b"x://", b"hub.example:443", b":", b"://", b"http:/ocpi",
    b"/ocpi/versions?" + b"&" * 1000, b"/ocpi/versions?" + b"a=b&" * 500, b"/" + b"a/" * 2000, b"/" + b"a" * 8100,
    b"/" + b"%41" * 2500, b"/ocpi/2.2.1/sender/locations/" + b"x" * 8000, b"/ocpi/2.1.1", b"/ocpi/2.2.1/",
    b"/ocpi/2.2.1/sender", b"/ocpi/2.2.1/receiver/", b"/ocpi/2.2.1/sender/nothing/a",
    b"/ocpi/2.2.1/sender/cdrs/" + b"A" * 43, b"/ocpi/2.2.1/receiver/cdrs/" + b"A" * 43,
    b"/ocpi/2.2.1/receiver/cdrs/%C3%A9", b"/ocpi/2.2.1/receiver/cdrs/" + b"B" * 300,
    b"/ocpi/2.2.1/sender/commands/START_SESSION/" + b"-" * 60, b"/ocpi/2.2.1/sender/locations?page=" + b"A" * 200,
    b"/ocpi/2.2.1/sender/locations?page=", b"/ocpi/2.2.1/sender/cdrs?page",
    b"/ocpi/2.2.1/sender/locations?page=%ff&page=%ff",
    b"/ocpi/2.2.1/sender/tokens/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
)  # fmt: skip

QUERIES: Final = (
    b"", b"&", b"&&&", b"=", b"type", b"type=", b"type=RFID&type=APP_USER", b"limit=-1", b"limit=1e9",
    b"limit=" + b"9" * 500, b"offset=x", b"date_from=yesterday", b"date_to=2026-13-45T99:99:99Z", b"response_url=",
    b"response_url=http://127.0.0.1/", b"response_url=%", b"response_url=a&response_url=b", b"page=x", b"page=%00",
    b"a" * 4000, b"a[]=1&a[b]=2", b"a=b=c=d", b"+", b"%20", b"type=%ff", b"type=\xff", b"__proto__=1",
    b"duration=-1", b"duration=1e309",
)  # fmt: skip

VALUES: Final = (
    b"null", b"true", b"false", b"0", b"-1", b"-0", b"-0.0", b"1.10", b"1e308", b"1e309", b"-1e400", b"1e-400",
    b"0.1234567890123456789012345", b"12345678901234567890123", b"9" * 5000, b"1E+2", b'""', b'" "', b'"\\u0000"',
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u202e"', b'"\xf0\x9f\x98\x80"',
    b'"' + b"x" * 300 + b'"', b'"' + b"x" * 70_000 + b'"', b'"\xff"', b'"\xed\xa0\x80"', b'"a\tb"', b'"a\nb"',
    b'"\x00"', b"[]", b"[[]]", b"[null]", b"{}", b'{"":""}', b'{"a":1,"a":2}', b"[" + b"0," * 3000 + b"0]",
    b"[" * 60 + b"]" * 60, b"[" * 300 + b"]" * 300, b'{"a":' * 250 + b"1" + b"}" * 250, b"NaN", b"Infinity",
    b"-Infinity", b"'x'", b"undefined", b"01", b"1.", b".5", b"+1", b"0x1", b"1_000", b"None", b"True",
    b'"2026-13-45T99:99:99Z"', b'"0000-00-00T00:00:00Z"', b'"9999-12-31T23:59:60Z"',
    b'"2026-03-01T10:00:00+25:00"', b'"2026-03-01T10:00:00.1234567890123Z"', b'"2026-03-01"', b'"now"', b'"NL"',
    b'"nl "', b'"N\xc5\x81"', b'"-1"', b'"AVAILABLE "', b'"http://127.0.0.1/"', b'"file:///etc/passwd"',
    b'"https://emsp.example@192.0.2.1/"', b'"https://emsp.example:99999/"',
    b'"https://emsp.example/' + b"a" * 400 + b'"', b'"https://[::1"', b'"//emsp.example/"', b'"javascript:1"',
    b'"\\u0068ttps://emsp.example/"', b'"$(id)"', b'"${jndi:ldap://192.0.2.1/a}"', b'{"$gt":""}', b'"__proto__"',
    b'"\\""', b'"\\\\"', b'"\\/"',
)  # fmt: skip
"""As they stand in JSON; some are none."""


_GZIP: Final = ((b"Content-Encoding", b"gzip"),)
_DEFLATE: Final = ((b"Content-Encoding", b"deflate"),)
_CHUNKED: Final = ((b"Transfer-Encoding", b"chunked"),)
_BOMB: Final = gzip.compress(b"[" + b" " * 12_000_000 + b"]", mtime=0)


def whole(body: bytes) -> tuple[tuple[str, bytes, tuple[tuple[bytes, bytes], ...]], ...]:
    """What becomes of a right body as a whole: a name, the bytes, and headers that go with them."""
    text = body.decode()
    packed = gzip.compress(body, mtime=0)
    return (
        ("nothing", b"", ()), ("blank", b" \r\n\t", ()), ("a bracket", b"{", ()), ("two", body + body, ()),
        ("a tail", body + b"\0", ()), ("a comma", body[:-1] + b",}", ()), ("html", b"<html></html>", ()),
        ("form", b"a=b&c=d", ()), ("bom", b"\xef\xbb\xbf" + body, ()), ("utf-16", text.encode("utf-16"), ()),
        ("utf-32", text.encode("utf-32"), ()), ("latin-1", body[:-1] + b',"x":"\xe9"}', ()),
        ("list", b"[" + body + b"]", ()), ("string", b'"' + text.encode("unicode_escape") + b'"', ()),
        ("numbers", b"1", ()), ("deep", b"[" * 100_000, ()), ("deep objects", b'{"a":' * 50_000, ()),
        ("nulls", b"\0" * 1000, ()), ("upper case", body.upper(), ()),
        ("single quotes", body.replace(b'"', b"'"), ()), ("comments", b"/* */" + body, ()),
        ("wide", b"{" + b",".join(b'"k%d":%d' % (at, at) for at in range(5000)) + b"}", ()),
        ("gzip", packed, _GZIP), ("gzip twice", gzip.compress(packed, mtime=0), _GZIP),
        ("gzip cut", packed[:-9], _GZIP), ("gzip and more", packed + b"more", _GZIP),
        ("gzip of two", packed + packed, _GZIP), ("no gzip", body, _GZIP), ("bomb", _BOMB, _GZIP),
        ("empty gzip", b"", _GZIP), ("deflate", zlib.compress(body), _DEFLATE), ("no deflate", body, _DEFLATE),
        ("bare deflate", zlib.compress(body)[2:-4], _DEFLATE), ("gzip as deflate", packed, _DEFLATE),
        ("br", body, ((b"Content-Encoding", b"br"),)), ("zstd", body, ((b"Content-Encoding", b"zstd"),)),
        ("odd coding", body, ((b"Content-Encoding", b"nonsense"),)),
        ("long length", body, ((b"Content-Length", b"%d" % (len(body) + 9)),)),
        ("short length", body, ((b"Content-Length", b"%d" % max(len(body) - 9, 0)),)),
        ("huge length", body, ((b"Content-Length", b"5000000000"),)),
        ("no length", body, ((b"Content-Length", b""),)),
        ("signed length", body, ((b"Content-Length", b"+%d" % len(body)),)),
        ("hex length", body, ((b"Content-Length", b"0x10"),)),
        ("two lengths", body, ((b"Content-Length", b"1"), (b"Content-Length", b"2"))),
        ("a list of lengths", body, ((b"Content-Length", b"5, 5"),)),
        ("chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), _CHUNKED),
        ("small chunks", b"".join(b"1\r\n%c\r\n" % sign for sign in body) + b"0\r\n\r\n", _CHUNKED),
        ("chunked without an end", b"%x\r\n%s\r\n" % (len(body), body), _CHUNKED),
        ("chunked and length", b"0\r\n\r\n", (*_CHUNKED, (b"Content-Length", b"5"))),
        ("bad chunks", b"zz\r\n", _CHUNKED), ("endless chunk", b"ffffffffffffffffff\r\n", _CHUNKED),
        ("chunk extension", b"1;" + b"a" * 9000 + b"\r\n{\r\n0\r\n\r\n", _CHUNKED),
        ("trailers", b"2\r\n{}\r\n0\r\nX-T: 1\r\nAuthorization: Token x\r\n\r\n", _CHUNKED),
        ("negative chunk", b"-1\r\n", _CHUNKED),
        ("chunked gzip", b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed), (*_CHUNKED, *_GZIP)),
        ("not chunked last", body, ((b"Transfer-Encoding", b"gzip"),)),
        ("expected", body, ((b"Expect", b"100-continue"),)),
        ("a wrong expectation", body, ((b"Expect", b"the worst"),)),
        ("upgrade", body, ((b"Connection", b"upgrade"), (b"Upgrade", b"websocket"))),
    )  # fmt: skip
