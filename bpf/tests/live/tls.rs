//! Clear text of TLS connections, through the system's OpenSSL as Python uses it: with sockets and with memory BIOs.

use std::collections::BTreeMap;

use watershed_bpf::{Direction, Probe};

use crate::driver::Driver;
use crate::{config, load};

/// Both ends in one process; `pause` lets the test attach once the library is mapped.
const PREPARE: &str = r#"
import ssl, subprocess, tempfile
d = tempfile.mkdtemp()
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", d + "/k", "-out", d + "/c",
    "-days", "1", "-subj", "/CN=localhost"], check=True, stderr=subprocess.DEVNULL)
sc = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); sc.load_cert_chain(d + "/c", d + "/k")
cc = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); cc.check_hostname = False; cc.verify_mode = ssl.CERT_NONE
t = socket.socket(); t.bind(("127.0.0.1", 0)); t.listen(5)
pause("mapped")
"#;

const SOCKETS: &str = r#"
def answer():
    c, _ = t.accept(); c = sc.wrap_socket(c, server_side=True)
    for _ in range(3): c.sendall(b"answer to " + c.recv(100))
    c.close()
w = threading.Thread(target=answer); w.start()
s = cc.wrap_socket(socket.create_connection(t.getsockname()))
for i in range(3): s.sendall(b"question %d" % i); s.recv(100)
s.close(); w.join()
"#;

const MEMORY: &str = r#"
import asyncio
async def handle(r, w):
    for _ in range(3): w.write(b"answer to " + await r.readexactly(10)); await w.drain()
    w.close()
async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=sc)
    r, w = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=cc)
    for i in range(3): w.write(b"question %d" % i); await w.drain(); await r.readexactly(20)
    w.close(); server.close()
asyncio.run(main())
"#;

/// Clear text by connection and direction, in order.
fn plain(probe: &mut Probe) -> BTreeMap<(u64, bool), String> {
    let mut texts: BTreeMap<(u64, bool), String> = BTreeMap::new();
    probe
        .drain_data(&mut |data| {
            let captured = String::from_utf8_lossy(data.captured);
            if data.plain {
                let text = texts.entry((data.cookie, data.direction == Direction::Sent)).or_default();
                assert_eq!(data.position, text.len() as u64, "positions are of the clear text");
                *text += &captured;
            } else {
                assert!(!captured.contains("question"), "the bytes of the socket are ciphertext");
            }
        })
        .unwrap();
    texts
}

fn clear_text_is_seen(traffic: &str) {
    let mut driver = Driver::body(&[PREPARE, traffic].concat());
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    driver.go();
    driver.expect("mapped");
    let libraries = probe.attach_tls(driver.child.id());
    assert!(libraries.iter().any(|library| library.error.is_empty()), "{libraries:?}");
    driver.go();
    driver.expect("done");

    let texts = plain(&mut probe);
    let (questions, answers) =
        ("question 0question 1question 2", "answer to question 0answer to question 1answer to question 2");
    let cookies: Vec<u64> = texts.keys().map(|(cookie, _)| *cookie).collect();
    assert_eq!(texts.len(), 4, "two ends, two directions: {texts:?} {:?}", probe.losses());
    for cookie in cookies {
        let (sent, received) = (&texts[&(cookie, true)], &texts[&(cookie, false)]);
        let is_client = sent == questions && received == answers;
        assert!(is_client || sent == answers && received == questions, "{texts:?}");
    }
}

#[test]
fn root_tls_through_sockets() {
    clear_text_is_seen(SOCKETS);
}

#[test]
fn root_tls_through_memory() {
    clear_text_is_seen(MEMORY);
}
