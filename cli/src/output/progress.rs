//! Progress on stderr: a bar for bytes, a turning line for waiting. Where stderr is no terminal the
//! bar is silent and waiting says a line for every change.

use std::io::{self, Read};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::talk;

/// A reader that shows how much of it has been read.
#[derive(Debug)]
pub(crate) struct Metered<R> {
    inner: R,
    bar: ProgressBar,
}

impl<R: Read> Metered<R> {
    /// Shows the reading of `total` bytes under `title`.
    pub(crate) fn new(inner: R, total: u64, title: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), target());
        let form = "{msg} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(title.to_owned());
        Self { inner, bar }
    }

    /// Takes the bar away.
    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bar.inc(u64::try_from(n).unwrap_or(0));
        Ok(n)
    }
}

/// A line that says what is being waited for.
#[derive(Debug)]
pub(crate) struct Waiting {
    bar: Option<ProgressBar>,
    last: String,
}

impl Waiting {
    /// Starts to wait.
    pub(crate) fn start() -> Self {
        let bar = talk::to_a_person().then(|| {
            let bar = ProgressBar::with_draw_target(None, target());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
            bar
        });
        Self {
            bar,
            last: String::new(),
        }
    }

    /// Says where things are.
    pub(crate) fn at(&mut self, text: &str) {
        if text == self.last {
            return;
        }
        text.clone_into(&mut self.last);
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => talk::say(text),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn target() -> ProgressDrawTarget {
    if talk::to_a_person() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}
