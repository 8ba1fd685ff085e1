//! Marks the threads on which a panic is a model's and is caught, for the process's panic hook.

use std::any::Any;
use std::cell::Cell;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs a model, so that a panic suspends a detector and nothing else.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Runs what catches its panics.
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> T {
    let before = GUARDED.replace(true);
    let result = run();
    GUARDED.set(before);
    result
}

/// What a panic said.
pub(super) fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
