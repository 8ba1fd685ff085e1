//! What libbpf prints while loading: the errors that it returns are bare numbers.

use std::sync::Mutex;

use libbpf_rs::{PrintLevel, set_print};

static LAST: Mutex<String> = Mutex::new(String::new());

/// Prints nothing from here on and keeps the last line that tells a reason.
pub(crate) fn keep() {
    set_print(Some((PrintLevel::Warn, |_, text| take(&text))));
    if let Ok(mut last) = LAST.lock() {
        last.clear();
    }
}

/// The kept line; empty if libbpf said nothing.
pub(crate) fn last() -> String {
    LAST.lock().map(|last| last.clone()).unwrap_or_default()
}

fn take(text: &str) {
    if let Some(line) = reason(text)
        && let Ok(mut last) = LAST.lock()
    {
        // "prog 'x': failed to load: -EACCES" comes last and says less than what came before it.
        if last.is_empty() || !line.contains("failed to load") {
            line.clone_into(&mut last);
        }
    }
}

/// The line of a message that says why; a verifier's log ends with it and then with its statistics.
fn reason(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(|line| line.trim().trim_start_matches("libbpf: "));
    let noise = ["processed ", "-- ", "failed to load object"];
    lines.rfind(|line| !line.is_empty() && !noise.iter().any(|start| line.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_reason_of_a_verifier_log_is_above_its_statistics() {
        let log = "libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n1: (79) r1\nR1 invalid mem access\n\
                   processed 2 insns\n-- END PROG LOAD LOG --\n";
        assert_eq!(reason(log), Some("R1 invalid mem access"));
        assert_eq!(reason("libbpf: failed to load object 'watershed'\n"), None);
    }
}
