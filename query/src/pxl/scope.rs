//! Names and their values: a module's, or a function call's inside of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::value::Value;

/// Names of a module or a call; those of the outer scope can be read, not changed.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: RefCell<HashMap<String, Value>>,
    outer: Option<Rc<Scope>>,
}

impl Scope {
    pub(super) fn inside(outer: &Rc<Scope>) -> Rc<Self> {
        Rc::new(Scope { names: RefCell::default(), outer: Some(Rc::clone(outer)) })
    }

    pub(super) fn set(&self, name: &str, value: Value) {
        self.names.borrow_mut().insert(name.to_owned(), value);
    }

    pub(super) fn value(&self, name: &str) -> Option<Value> {
        let own = self.names.borrow().get(name).cloned();
        own.or_else(|| self.outer.as_ref()?.value(name))
    }

    /// Takes a value out, if it is this scope's own; it is to be set again.
    pub(super) fn take(&self, name: &str) -> Option<Value> {
        self.names.borrow_mut().remove(name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names.borrow().keys().cloned().collect();
        names.extend(self.outer.iter().flat_map(|outer| outer.names()));
        names
    }
}
