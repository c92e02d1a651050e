//! Scenarios as text: what a failure prints is what a replay reads.

use std::fmt;
use std::str::FromStr;

use super::{Body, End, Scenario, Step};

/// Each end and its word.
const ENDS: [(End, &str); 9] = [
    (End::Wait, "wait"),
    (End::Drop, "drop"),
    (End::Detach, "detach"),
    (End::Timeout, "timeout"),
    (End::Clone, "clone"),
    (End::Poll, "poll"),
    (End::Await, "await"),
    (End::Outlive, "outlive"),
    (End::OutliveAwait, "outlive-await"),
];

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.workers, if self.late { "late" } else { "early" })?;
        self.producers.iter().try_for_each(|steps| {
            f.write_str(" | ")?;
            list(f, steps, "; ")
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Submit(..) => "submit",
            Self::Spawn(..) => "spawn",
            Self::Each(_) => "each",
            Self::Map(_) => "map",
            Self::Join(_) => "join",
            Self::Scope(_) => "scope",
            Self::Locked(step) => return write!(f, "locked {step}"),
        };
        write!(f, "{word} ")?;
        match self {
            Self::Spawn(body, end) => write!(f, "{body} {end}"),
            _ => {
                f.write_str("(")?;
                list(f, self.bodies(), " ")?;
                f.write_str(")")?;
                if let Self::Submit(_, end) = self { write!(f, " {end}") } else { Ok(()) }
            }
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { locks: true, .. } => return f.write_str("l"),
            Self { steps, panics: false, .. } if steps.is_empty() => return f.write_str("."),
            Self { steps, .. } if steps.is_empty() => {}
            Self { steps, .. } => {
                f.write_str("[")?;
                list(f, steps, "; ")?;
                f.write_str("]")?;
            }
        }
        f.write_str(if self.panics { "!" } else { "" })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, word) = ENDS.iter().find(|(end, _)| end == self).expect("every end has a word");
        f.write_str(word)
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if at == 0 { "" } else { between })?;
    }
    Ok(())
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text };
        let scenario = reader.scenario();
        match scenario {
            Some(scenario) if reader.rest.trim().is_empty() => Ok(scenario),
            _ => Err(format!("the scenario cannot be read from here on: {:?}", reader.rest)),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Takes a sign if it is the next one.
    fn sign(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a word of letters, digits and hyphens.
    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '-').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn scenario(&mut self) -> Option<Scenario> {
        let workers = self.word()?.parse().ok()?;
        let late = match self.word()? {
            "late" => true,
            "early" => false,
            _ => return None,
        };
        let mut producers = Vec::new();
        while self.sign('|') {
            producers.push(self.steps()?);
        }
        Some(Scenario { workers, late, producers })
    }

    fn steps(&mut self) -> Option<Vec<Step>> {
        let mut steps = vec![self.step()?];
        while self.sign(';') {
            steps.push(self.step()?);
        }
        Some(steps)
    }

    fn step(&mut self) -> Option<Step> {
        Some(match self.word()? {
            "submit" => Step::Submit(self.bodies()?, self.end()?),
            "spawn" => Step::Spawn(self.body()?, self.end()?),
            "each" => Step::Each(self.bodies()?),
            "map" => Step::Map(self.bodies()?),
            "join" => Step::Join(self.bodies()?.try_into().ok()?),
            "scope" => Step::Scope(self.bodies()?),
            "locked" => Step::Locked(Box::new(self.step()?)),
            _ => return None,
        })
    }

    fn bodies(&mut self) -> Option<Vec<Body>> {
        let mut bodies = Vec::new();
        if !self.sign('(') {
            return None;
        }
        while !self.sign(')') {
            bodies.push(self.body()?);
        }
        Some(bodies)
    }

    fn body(&mut self) -> Option<Body> {
        let mut body = Body::default();
        if self.sign('.') {
            return Some(body);
        }
        if self.sign('[') {
            body.steps = self.steps()?;
            if !self.sign(']') {
                return None;
            }
            // With a space before it, the sign is the next body.
            body.panics = self.rest.starts_with('!') && self.sign('!');
            return Some(body);
        }
        body.panics = self.sign('!');
        body.locks = !body.panics && self.word()? == "l";
        (body.panics || body.locks).then_some(body)
    }

    fn end(&mut self) -> Option<End> {
        let word = self.word()?;
        ENDS.iter().find(|(_, known)| *known == word).map(|(end, _)| *end)
    }
}
