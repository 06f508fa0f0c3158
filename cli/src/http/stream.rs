//! An answer that does not end: server-sent events, read frame by frame.

use std::io::{self, BufRead, BufReader, Read};

/// No frame is longer; what sends more is no stream of events.
const LONGEST: u64 = 1024 * 1024;

/// A frame that says something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frame {
    /// The position in the stream, to go on from when it is lost.
    pub(crate) id: Option<i64>,
    /// What it is; empty for a sign of life.
    pub(crate) kind: String,
    /// The text that it carries.
    pub(crate) data: String,
}

/// The frames of an answer.
pub(crate) struct Frames {
    lines: BufReader<Box<dyn Read>>,
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frames(…)")
    }
}

impl Frames {
    /// Reads frames from here.
    pub(crate) fn new(from: Box<dyn Read>) -> Self {
        Self {
            lines: BufReader::new(from),
        }
    }

    /// The next frame. It waits for it, as long as the other side shows life.
    pub(crate) fn next(&mut self) -> io::Result<Frame> {
        let mut frame = Frame::default();
        loop {
            let mut line = String::new();
            let length = (&mut self.lines).take(LONGEST).read_line(&mut line)?;
            if length == 0 || !line.ends_with('\n') {
                // A frame that was cut off did not happen.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                return Ok(frame);
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => frame.id = value.parse().ok(),
                "event" => value.clone_into(&mut frame.kind),
                "data" => {
                    if !frame.data.is_empty() {
                        frame.data.push('\n');
                    }
                    frame.data.push_str(value);
                }
                // A comment, or a field of a later version.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(text: &'static str) -> Frames {
        Frames::new(Box::new(text.as_bytes()))
    }

    #[test]
    fn frames_are_read_with_their_numbers_and_comments_are_passed_over() {
        let mut frames = frames(
            ": begins\nid: 4\n\nid:5\r\nevent: a.b\r\ndata: {\"x\":\ndata:1}\r\nnew: y\r\n\r\n",
        );
        let begin = frames.next().unwrap();
        assert_eq!((begin.id, begin.kind.as_str()), (Some(4), ""));
        let frame = frames.next().unwrap();
        assert_eq!((frame.id, frame.kind.as_str()), (Some(5), "a.b"));
        assert_eq!(frame.data, "{\"x\":\n1}");
    }

    #[test]
    fn a_frame_that_was_cut_off_did_not_happen() {
        assert!(frames("id: 5\nevent: a\ndata: {}\n").next().is_err());
        assert!(frames("id: 5").next().is_err());
        assert!(frames("").next().is_err());
    }
}
