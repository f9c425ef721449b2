//! Numbers as blocks of different heights, on one line: for who looks at them on a terminal.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A block for each number, the highest for the greatest of them; a blank where there is none.
pub fn blocks(numbers: &[Option<f64>]) -> Vec<char> {
    let greatest = numbers.iter().flatten().copied().fold(0.0, f64::max);
    numbers.iter().map(|number| number.map_or(' ', |number| block(number, greatest))).collect()
}

fn block(number: f64, greatest: f64) -> char {
    let share = if greatest > 0.0 { (number / greatest).clamp(0.0, 1.0) } else { 0.0 };
    // The lowest block stands for what is next to nothing.
    BLOCKS[(share * (BLOCKS.len() - 1) as f64).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[Option<f64>], expected: &str) {
        assert_eq!(blocks(numbers).into_iter().collect::<String>(), expected);
    }

    #[test]
    fn heights() {
        check(&[Some(0.0), Some(1.0), Some(3.5), None, Some(7.0)], "▁▂▅ █");
        check(&[Some(0.0), Some(0.0)], "▁▁");
        check(&[None], " ");
        check(&[], "");
        check(&[Some(f64::NAN), Some(1.0)], "▁█");
    }
}
