//! The lock that says that a slot is in use.
//!
//! Guards nothing by itself: it goes with its process, however that ends.

use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;

/// A lock that this process holds, until it is dropped.
///
/// It belongs to the open file, which a child that another thread starts has
/// too, from its fork to its exec (flock(2)). So closing the file is not
/// enough: for that long the slot would still be taken, and who opens a pool
/// just then would get another slot, a cold one.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of `file`, made where it is missing; `None` where somebody
    /// has it.
    pub(super) fn take(file: &Path) -> io::Result<Option<Lock>> {
        Lock::of(File::options().create(true).truncate(false).write(true).open(file)?)
    }

    /// Whether nobody has the lock of `file`; an error where there is none.
    pub(super) fn is_free(file: &Path) -> io::Result<bool> {
        Ok(Lock::of(File::open(file)?)?.is_some())
    }

    fn of(file: File) -> io::Result<Option<Lock>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(source),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked when the file is closed.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_given_back_is_free_though_a_child_still_has_its_file() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("lock");
        assert!(Lock::is_free(&file).is_err(), "there is no lock yet");
        let lock = Lock::take(&file).expect("opened").expect("free");
        assert!(Lock::take(&file).expect("opened").is_none());
        assert!(!Lock::is_free(&file).expect("opened"));
        // As a fork shares it.
        let childs = lock.0.try_clone().expect("cloned");
        drop(lock);
        assert!(Lock::is_free(&file).expect("opened"));
        assert!(Lock::take(&file).expect("opened").is_some());
        drop(childs);
    }
}
