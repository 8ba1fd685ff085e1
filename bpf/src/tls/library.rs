//! The functions of TLS libraries in C, by their symbols: in libraries, and in executables that they are linked into.

use super::Site;
use super::elf::Elf;

/// Of OpenSSL 1.1 and 3, BoringSSL, LibreSSL, and of GnuTLS: the program at the entry, whether one runs at the return.
const FUNCTIONS: [(&str, &str, bool); 8] = [
    ("SSL_write", "tls_write", true),
    ("SSL_read", "tls_read", true),
    ("SSL_write_ex", "tls_write_ex", true),
    ("SSL_read_ex", "tls_read_ex", true),
    ("SSL_do_handshake", "tls_shake", false),
    ("SSL_free", "tls_free", false),
    ("gnutls_record_send", "tls_write", true),
    ("gnutls_record_recv", "tls_read", true),
];
const RETURNED: &str = "tls_returned";
/// Without one of these it is no such library.
const REQUIRED: [&str; 2] = ["SSL_write", "gnutls_record_send"];

/// None where there is no such library in the file.
pub(super) fn sites(elf: &Elf) -> Vec<Site> {
    if elf.symbols(&REQUIRED).iter().all(Option::is_none) {
        return Vec::new();
    }
    let addresses = elf.symbols(&FUNCTIONS.map(|(name, _, _)| name));
    let mut sites = Vec::new();
    for ((_, program, returns), address) in FUNCTIONS.into_iter().zip(addresses) {
        let Some(offset) = address.and_then(|address| elf.offset_of(address)) else { continue };
        sites.push(Site { program, offset, at_return: false });
        if returns {
            sites.push(Site { program: RETURNED, offset, at_return: true });
        }
    }
    sites
}
