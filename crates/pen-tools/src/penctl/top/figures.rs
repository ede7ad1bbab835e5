//! Numbers as short as they can be read.

/// A number with three digits at most: `0`, `0.4`, `17`, `1.2k`, `340M`.
pub(super) fn short(value: f64) -> String {
    const UNITS: [&str; 5] = ["", "k", "M", "G", "T"];
    let mut value = if value.is_finite() { value.max(0.0) } else { 0.0 };
    let mut unit = 0;
    // What would be rounded to 1000 is the next unit's 1.0.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if value < 0.05 && unit == 0 {
        "0".to_owned()
    } else if value < 9.95 && (unit > 0 || value.fract() > 0.04) {
        format!("{value:.1}{name}")
    } else {
        format!("{value:.0}{name}")
    }
}

/// A time: `12 s`, `4 min`, `3 h 07 min`, `5 d 02 h`.
pub(super) fn time(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {:02} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {:02} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min")
    } else {
        format!("{seconds} s")
    }
}

/// A time in its greatest unit: `17s`, `4m`, `3h`, `5d`.
pub(super) fn brief(seconds: u64) -> String {
    match seconds {
        86_400.. => format!("{}d", seconds / 86_400),
        3_600.. => format!("{}h", seconds / 3_600),
        60.. => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// The newest values of a curve, one column each, as high as their share of the highest.
pub(super) fn curve<'a>(
    values: impl DoubleEndedIterator<Item = &'a f64> + Clone,
    width: usize,
    unicode: bool,
) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const LETTERS: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];
    let steps = if unicode { BLOCKS } else { LETTERS };
    let shown = || values.clone().rev().take(width);
    let highest = shown().fold(0.0_f64, |a, b| a.max(*b));
    let mut text: Vec<char> = shown()
        .map(|value| {
            if *value <= 0.0 || highest <= 0.0 {
                return ' ';
            }
            // The highest is the last step, whatever is not nothing at least the first.
            let step = (value / highest * 8.0).ceil() as usize;
            steps.get(step.clamp(1, 8) - 1).copied().unwrap_or(' ')
        })
        .collect();
    text.reverse();
    text.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.04, "0"),
            (0.5, "0.5"),
            (3.0, "3"),
            (9.96, "10"),
            (17.4, "17"),
            (999.0, "999"),
            (999.6, "1.0k"),
            (1_234.0, "1.2k"),
            (340_000_000.0, "340M"),
            (9.9e18, "9900000T"),
            (f64::NAN, "0"),
            (-1.0, "0"),
        ] {
            assert_eq!(short(value), text, "{value}");
        }
    }

    #[test]
    fn times_are_short() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (11_220, "3 h 07 min"), (93_784, "1 d 02 h")]
        {
            assert_eq!(time(seconds), text);
        }
        assert_eq!([59, 11_220, 93_784].map(brief), ["59s", "3h", "1d"]);
    }

    #[test]
    fn curves_show_the_newest() {
        let values = [9.0, 0.0, 1.0, 4.0, 8.0];
        assert_eq!(curve(values.iter(), 4, true), " ▁▄█");
        assert_eq!(curve(values.iter(), 4, false), " .=#");
        assert_eq!(curve([0.0; 3].iter(), 9, true), "   ");
        assert_eq!(curve([].iter(), 9, true), "");
    }
}
