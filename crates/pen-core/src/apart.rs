//! Something that several threads write to, on cache lines of its own.

use std::ops::Deref;

/// Two cache lines, because processors fetch them in pairs: whoever writes to one value does not take
/// its neighbours away from the threads that read or write those.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Apart<T>(T);

impl<T> Apart<T> {
    /// Puts it apart.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Apart;

    #[test]
    fn neighbours_do_not_touch() {
        let two = [Apart::new(1_u8), Apart::new(2)];
        assert_eq!(size_of_val(&two), 256);
        assert_eq!(*two[0] + *two[1], 3);
    }
}
