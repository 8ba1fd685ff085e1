//! Networks: both families, edges of masks, and what is no network.

use super::super::tests::check;

#[test]
fn networks_contain_their_addresses() {
    check(&[
        (r#"px_cidrs_contain_ip('["10.1.0.0/16","fd00::/8"]', '10.1.255.255')"#, "true"),
        (r#"px_cidrs_contain_ip('["10.1.0.0/16","fd00::/8"]', '10.2.0.0')"#, "false"),
        (r#"px_cidrs_contain_ip('["10.1.0.0/16","fd00::/8"]', 'fdff::1')"#, "true"),
        (r#"px_cidrs_contain_ip('["0.0.0.0/0"]', '255.1.2.3')"#, "true"),
        (r#"px_cidrs_contain_ip('["::/0"]', 'ff::1')"#, "true"),
        (r#"px_cidrs_contain_ip('["0.0.0.0/0"]', '::1')"#, "false"),
        (r#"px_cidrs_contain_ip('["10.0.0.1/32"]', '10.0.0.1')"#, "true"),
        (r#"px_cidrs_contain_ip('["10.0.0.0/8"]', '::ffff:10.0.0.1')"#, "true"),
    ]);
}

#[test]
fn what_is_no_network_contains_nothing() {
    check(&[
        (r#"px_cidrs_contain_ip('["10.0.0.0/33", "10.0.0.0", "x/8", 7]', '10.0.0.1')"#, "false"),
        (r#"px_cidrs_contain_ip('["10.0.0.0/8"]', 'nowhere')"#, "false"),
        ("px_cidrs_contain_ip('', '10.0.0.1')", "false"),
        ("px_cidrs_contain_ip(px_get_cidrs(), '10.0.0.1')", "false"),
        ("px_nslookup('10.0.0.1')", "10.0.0.1"),
        ("px_length(px_get_cidrs())", "0"),
    ]);
}
