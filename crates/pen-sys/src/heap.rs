//! Memory that was freed and that the allocator keeps.

/// Gives whole pages that the allocator keeps back to the system, where the C library can (glibc). Takes
/// milliseconds for a large heap and holds up threads that allocate meanwhile.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) may be called at any time by any thread; it takes the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_allocated_stays_whole() {
        let kept: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; 4_096]).collect();
        drop(vec![vec![1_u8; 4_096]; 1_000]);
        super::trim();
        assert!(kept.iter().enumerate().all(|(n, v)| v.iter().all(|b| usize::from(*b) == n)));
    }
}
