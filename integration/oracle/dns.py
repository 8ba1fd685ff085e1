"""Asks a name server through dnspython: many types, EDNS, TCP, errors. Argument: port."""
import sys

import dns.message
import dns.query

PORT = int(sys.argv[1])


def ask(name, kind, how=dns.query.udp, **options):
    question = dns.message.make_query(name, kind, **options)
    return how(question, "127.0.0.1", port=PORT, timeout=5)


for name, kind in [("www.oracle.test", "A"), ("www.oracle.test", "AAAA"), ("alias.oracle.test", "A"),
                   ("oracle.test", "MX"), ("oracle.test", "NS"), ("oracle.test", "SOA"), ("text.oracle.test", "TXT"),
                   ("_sip._tcp.oracle.test", "SRV"), ("missing.oracle.test", "A"), ("www.oracle.test", "MX"),
                   ("oracle.test", "CAA"), ("1.0.0.127.in-addr.arpa", "PTR"), ("other.example", "A"),
                   ("WwW.OrAcLe.TeSt", "A"), ("many.oracle.test", "A"), ("oracle.test", "ANY")]:
    ask(name, kind)
    ask(name, kind, use_edns=0, payload=4096)
    ask(name, kind, how=dns.query.tcp)
for number in range(100):
    ask(f"host{number}.oracle.test", "A")
ask("large.oracle.test", "TXT")
ask("large.oracle.test", "TXT", use_edns=0, payload=4096)
ask("large.oracle.test", "TXT", how=dns.query.tcp)
ask("www.oracle.test", "A", use_edns=0, want_dnssec=True)
ask("version.bind", "TXT", rdclass="CH")
