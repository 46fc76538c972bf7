//! A pattern as a list of instructions, in which what is preferred stands first.

use crate::error::{Error, Result};

use super::spec::{Pattern, Repeat};

/// Most instructions of a pattern; the planner refuses what is near it.
const MOST: usize = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction {
    /// Take a row for a variable, and go on at the next instruction.
    Take(usize),
    /// Go on at both, rather at the first.
    Either(usize, usize),
    Go(usize),
    /// The pattern is at its end.
    Done,
}

pub struct Program {
    instructions: Vec<Instruction>,
}

impl Program {
    /// # Errors
    /// The pattern is too long, or a variable is none of `variables`.
    pub fn new(pattern: &Pattern, variables: usize) -> Result<Self> {
        let mut instructions = Vec::new();
        write(pattern, variables, &mut instructions)?;
        instructions.push(Instruction::Done);
        Ok(Self { instructions })
    }

    pub fn at(&self, place: usize) -> Instruction {
        self.instructions[place]
    }

    pub fn len(&self) -> usize {
        self.instructions.len()
    }
}

fn write(pattern: &Pattern, variables: usize, out: &mut Vec<Instruction>) -> Result<()> {
    if out.len() > MOST {
        return Err(Error::spec("the pattern is too long"));
    }
    match pattern {
        Pattern::Variable(variable) if *variable < variables => {
            out.push(Instruction::Take(*variable));
        }
        Pattern::Variable(_) => return Err(Error::spec("there is no such variable")),
        Pattern::Sequence(parts) => {
            for part in parts {
                write(part, variables, out)?;
            }
        }
        Pattern::Choice(parts) => choice(parts, variables, out)?,
        Pattern::Repeat(repeat) => {
            // A way that comes back to where it was without a row would hide what is to be tried after it.
            if least_rows(&repeat.of) == 0 {
                return Err(Error::spec("what is repeated may take no row"));
            }
            for _ in 0..repeat.least {
                write(&repeat.of, variables, out)?;
            }
            match repeat.most {
                None => forever(repeat, variables, out)?,
                Some(most) => optional(repeat, most, variables, out)?,
            }
        }
    }
    Ok(())
}

/// How many rows a pattern takes at least.
fn least_rows(pattern: &Pattern) -> usize {
    match pattern {
        Pattern::Variable(_) => 1,
        Pattern::Sequence(parts) => parts.iter().map(least_rows).sum(),
        Pattern::Choice(parts) => parts.iter().map(least_rows).min().unwrap_or(0),
        Pattern::Repeat(repeat) => repeat.least * least_rows(&repeat.of),
    }
}

fn choice(parts: &[Pattern], variables: usize, out: &mut Vec<Instruction>) -> Result<()> {
    let mut ends = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let fork = out.len();
        let is_last = number + 1 == parts.len();
        if !is_last {
            out.push(Instruction::Go(0));
        }
        write(part, variables, out)?;
        if !is_last {
            ends.push(out.len());
            out.push(Instruction::Go(0));
            out[fork] = Instruction::Either(fork + 1, out.len());
        }
    }
    for end in ends {
        out[end] = Instruction::Go(out.len());
    }
    Ok(())
}

fn forever(repeat: &Repeat, variables: usize, out: &mut Vec<Instruction>) -> Result<()> {
    let fork = out.len();
    out.push(Instruction::Go(0));
    write(&repeat.of, variables, out)?;
    out.push(Instruction::Go(fork));
    out[fork] = either(repeat, fork + 1, out.len());
    Ok(())
}

fn optional(
    repeat: &Repeat,
    most: usize,
    variables: usize,
    out: &mut Vec<Instruction>,
) -> Result<()> {
    let mut forks = Vec::new();
    for _ in repeat.least..most {
        forks.push(out.len());
        out.push(Instruction::Go(0));
        write(&repeat.of, variables, out)?;
    }
    for fork in forks {
        out[fork] = either(repeat, fork + 1, out.len());
    }
    Ok(())
}

fn either(repeat: &Repeat, again: usize, out: usize) -> Instruction {
    if repeat.reluctant {
        Instruction::Either(out, again)
    } else {
        Instruction::Either(again, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Instruction::{Done, Either, Go, Take};

    fn program(text: &str) -> Vec<Instruction> {
        let pattern = serde_json::from_str(text).unwrap();
        Program::new(&pattern, 2).unwrap().instructions
    }

    #[test]
    fn what_is_preferred_stands_first() {
        let reluctant =
            r#"{"repeat": {"of": {"variable": 0}, "least": 1, "most": null, "reluctant": true}}"#;
        let forever = [Take(0), Either(4, 2), Take(0), Go(1), Done];
        assert_eq!(program(reluctant), forever);
        let some =
            r#"{"repeat": {"of": {"variable": 1}, "least": 0, "most": 2, "reluctant": false}}"#;
        let twice = [Either(1, 4), Take(1), Either(3, 4), Take(1), Done];
        assert_eq!(program(some), twice);
        let choice = r#"{"choice": [{"variable": 0}, {"variable": 1}]}"#;
        assert_eq!(
            program(choice),
            [Either(1, 3), Take(0), Go(4), Take(1), Done]
        );
    }

    #[test]
    fn what_cannot_be_matched_is_refused() {
        let variable = Pattern::Variable(2);
        assert!(matches!(Program::new(&variable, 2), Err(Error::Spec(_))));
        let twice = r#"{"repeat": {"of": {"repeat": {"of": {"variable": 0}, "least": 0, "most": null, "reluctant": true}},
            "least": 1, "most": null, "reluctant": false}}"#;
        let twice = serde_json::from_str(twice).unwrap();
        assert!(matches!(Program::new(&twice, 2), Err(Error::Spec(_))));
    }
}
