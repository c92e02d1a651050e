//! Percentiles and means of samples, and how a figure is written.

/// Samples of one quantity, in the order in which they are ranked.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Ranks the samples.
    pub fn new(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut samples: Vec<_> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        Self(samples)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the sample below which this share of them lies, between 0 and 1, or `None` if there is none.
    pub fn at(&self, share: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        self.0.get((share * last as f64).round() as usize).copied()
    }

    /// Returns the median.
    pub fn median(&self) -> Option<f64> {
        self.at(0.5)
    }

    /// Returns the mean.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.iter().sum::<f64>() / self.len() as f64)
    }
}

/// Writes a time with three digits that count: `8.52 us`.
pub fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds.abs() {
        ns if ns < 1e3 => (nanoseconds, "ns"),
        ns if ns < 1e6 => (nanoseconds / 1e3, "us"),
        ns if ns < 1e9 => (nanoseconds / 1e6, "ms"),
        _ => (nanoseconds / 1e9, "s"),
    };
    format!("{} {unit}", number(value))
}

/// Writes a number with three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples = Samples::new([5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!([0.0, 0.5, 0.9, 1.0].map(|share| samples.at(share)), [1.0, 3.0, 5.0, 5.0].map(Some));
        assert_eq!(Samples::default().median(), None);
        assert_eq!((samples.mean(), Samples::default().mean()), (Some(3.0), None));
    }

    #[test]
    fn figures_have_three_digits_that_count() {
        assert_eq!([0.0, 1.234, 12.34, 123.4].map(number), ["0", "1.23", "12.3", "123"]);
        assert_eq!([9.996, 99.96].map(number), ["10.0", "100"]);
        assert_eq!([870.0, 8_520.0, 3.1e7, 2e9].map(time), ["870 ns", "8.52 us", "31.0 ms", "2.00 s"]);
    }
}
