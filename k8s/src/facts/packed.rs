//! Values kept as bytes until they are looked at: a pod has some twenty texts of a few letters, of which each would be
//! an allocation.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value; a clone of it takes no room.
#[derive(Debug)]
pub(super) struct Packed<T> {
    bytes: Arc<[u8]>,
    of: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Packed<T> {
    pub(super) fn of(value: &T) -> Self {
        let bytes = postcard::to_allocvec(value).expect("memory holds it");
        Packed { bytes: bytes.into(), of: PhantomData }
    }

    pub(super) fn unpack(&self) -> T {
        postcard::from_bytes(&self.bytes).expect("what is read was written here")
    }
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Packed { bytes: Arc::clone(&self.bytes), of: PhantomData }
    }
}

impl<T> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}
