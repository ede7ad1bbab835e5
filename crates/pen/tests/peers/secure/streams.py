"""TLS streams and their ends as Python sees them: streams.py ACT PORT ROOT; exit 0 when all was right."""
import select
import socket
import ssl
import sys

LARGE = 100_000


def context(root):
    ctx = ssl.create_default_context(cafile=root)
    # Some builds ask OpenSSL to overlook a missing close_notify.
    ctx.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return ctx


def connect(port, root):
    plain = socket.create_connection(("127.0.0.1", port), timeout=9)
    return context(root).wrap_socket(
        plain, server_hostname="default.example", suppress_ragged_eofs=False)


def read_all(tls):
    got = b""
    while chunk := tls.recv(65536):
        got += chunk
    return got


def echo(port, root, version):
    """Pieces and their echoes, twice; the second connection resumes the session of the first."""
    ctx = context(root)
    ctx.minimum_version = ctx.maximum_version = version
    ctx.set_alpn_protocols(["http/1.1"])
    sent = bytes(n * n % 251 for n in range(LARGE)) * 20
    session = None
    for turn in range(2):
        plain = socket.create_connection(("127.0.0.1", port), timeout=9)
        tls = ctx.wrap_socket(plain, server_hostname="default.example", session=session,
                              suppress_ragged_eofs=False)
        assert tls.selected_alpn_protocol() == "http/1.1", tls.selected_alpn_protocol()
        assert tls.session_reused == (turn == 1), (turn, tls.session_reused)
        got = b""
        for start in range(0, len(sent), LARGE):
            tls.sendall(sent[start:start + LARGE])
            while len(got) < start + LARGE:
                got += tls.recv(65536)
        assert got == sent, len(got)
        session = tls.session
        tls.unwrap().close()


def echo_12(port, root):
    echo(port, root, ssl.TLSVersion.TLSv1_2)


def echo_13(port, root):
    echo(port, root, ssl.TLSVersion.TLSv1_3)


def half_close(port, root):
    """close_notify first, the answer after it."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=9)
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(root).wrap_bio(into, out, server_hostname="default.example")

    def pump(act):
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                plain.sendall(out.read())
                chunk = plain.recv(65536)
                if chunk:
                    into.write(chunk)
                else:
                    into.write_eof()
            finally:
                if out.pending:
                    plain.sendall(out.read())

    pump(tls.do_handshake)
    pump(lambda: tls.write(b"question"))
    try:
        tls.unwrap()
    except ssl.SSLWantReadError:
        pass
    plain.sendall(out.read())
    got = b""
    while True:
        try:
            chunk = pump(lambda: tls.read(65536))
        except ssl.SSLZeroReturnError:
            chunk = b""
        if not chunk:
            break
        got += chunk
    assert len(got) == LARGE, len(got)


def server_ends(port, root):
    """The server's end of stream arrives as close_notify: no ragged end."""
    tls = connect(port, root)
    for line in (b"hello\r\n", b"bye\r\n"):
        assert tls.recv(100) == line
        tls.sendall(b"\n")
    assert tls.recv(100) == b""


def client_unwraps(port, root):
    """unwrap() waits for the other side's close_notify."""
    tls = connect(port, root)
    assert tls.recv(100) == b"hello\r\n"
    tls.unwrap().close()


def server_aborts(port, root):
    """Bytes, and then anything but a good end."""
    tls = connect(port, root)
    tls.sendall(b"go\n")
    try:
        got = read_all(tls)
    except (ssl.SSLEOFError, ssl.SSLError, ConnectionError):
        return
    raise AssertionError("a good end after %d bytes" % len(got))


def client_vanishes(port, root):
    """The connection ends without close_notify."""
    tls = connect(port, root)
    tls.sendall(b"some text")
    select.select([], [], [], 0.3)
    plain = socket.socket(fileno=tls.detach())
    plain.shutdown(socket.SHUT_RDWR)
    plain.close()


def client_leaves(port, root):
    """close_notify, then the end."""
    tls = connect(port, root)
    tls.sendall(b"some text")
    tls.unwrap().close()


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
