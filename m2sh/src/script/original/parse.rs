//! From tokens to statements.
//!
//! A fault ends its statement; the next one begins with the next name at the beginning of a line that has `=`,
//! `.` or `(` behind it.  Nesting is bounded, so that no text takes more stack than there is.

use super::Fault;
use super::lex::{Kind, Token};
use super::tree::{Entry, Expr, Form, Statement};
use crate::script::lex::At;

/// How deep values may nest.
const MOST_DEPTH: usize = 100;
/// Nobody reads more.
const MOST_FAULTS: usize = 50;

/// All statements, and what is none.
pub(super) fn statements(tokens: &[Token]) -> (Vec<Statement>, Vec<Fault>) {
    let mut parser = Parser { tokens, next: 0, depth: 0 };
    let (mut statements, mut faults) = (Vec::new(), Vec::new());
    while parser.peek(0).is_some() && faults.len() < MOST_FAULTS {
        match parser.statement() {
            Ok(statement) => statements.extend(statement),
            Err(fault) => {
                faults.push(*fault);
                parser.recover();
            }
        }
    }
    (statements, faults)
}

type Result<T> = std::result::Result<T, Box<Fault>>;

fn fault<T>(at: At, message: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Result<T> {
    Err(Box::new(Fault::new(at, message, hint)))
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.next + ahead)
    }

    fn is(&self, ahead: usize, mark: char) -> bool {
        self.peek(ahead).is_some_and(|token| token.is(mark))
    }

    fn take(&mut self, mark: char) -> bool {
        let found = self.is(0, mark);
        self.next += usize::from(found);
        found
    }

    /// Where the next token is; behind the last one if there is none.
    fn at(&self) -> At {
        let last = || self.tokens.last().map_or((1, 1), |token| (token.at.0, token.at.1 + token.width));
        self.peek(0).map_or_else(last, |token| token.at)
    }

    fn found(&self) -> String {
        self.peek(0).map_or_else(|| "the end of the file".into(), Token::describe)
    }

    fn expect(&mut self, mark: char, hint: impl Into<Option<&'static str>>) -> Result<()> {
        if self.take(mark) {
            Ok(())
        } else {
            fault(self.at(), format!("expected `{mark}`, found {}", self.found()), hint)
        }
    }

    fn recover(&mut self) {
        self.depth = 0;
        while let Some(token) = self.peek(0) {
            let begins = token.at.1 == 1 && token.word().is_some();
            if begins && ['=', '.', '('].iter().any(|mark| self.is(1, *mark)) {
                return;
            }
            self.next += 1;
        }
    }

    /// The next statement; nothing for an import.
    fn statement(&mut self) -> Result<Option<Statement>> {
        let at = self.at();
        let Some(name) = self.peek(0).and_then(Token::word) else {
            return fault(at, format!("expected a name, found {}", self.found()), "servers = [main]");
        };
        self.next += 1;
        match name {
            "from" | "import" if self.peek(0).is_some_and(|token| token.word().is_some()) => {
                while self.peek(0).is_some_and(|token| token.at.0 == at.0) {
                    self.next += 1;
                }
                Ok(None)
            }
            "commit" if self.is(0, '(') => self.commit(at).map(Some),
            _ if self.take('=') => {
                let entry = Entry { name: name.into(), at, value: self.expr()? };
                Ok(Some(Statement::Assign(entry)))
            }
            _ if self.take('.') => self.add(name, at).map(Some),
            _ if self.is(0, '(') => {
                let message = format!("the value of `{name}(…)` has no name");
                let hint = match name {
                    "include" => "there are no files that are included: put all into one, or into a Rhai script",
                    _ => "main = Server(…)",
                };
                fault(at, message, hint)
            }
            _ => fault(self.at(), format!("expected `=` after `{name}`, found {}", self.found()), "servers = [main]"),
        }
    }

    /// `field.add(value)`
    fn add(&mut self, name: &str, at: At) -> Result<Statement> {
        let hint = "main.hosts.add(host)";
        let field_at = self.at();
        let Some(field) = self.peek(0).and_then(Token::word) else {
            return fault(field_at, format!("expected a field of `{name}`, found {}", self.found()), hint);
        };
        self.next += 1;
        self.expect('.', hint)?;
        match self.peek(0).and_then(Token::word) {
            Some("add" | "append" | "push") => self.next += 1,
            _ => return fault(self.at(), format!("expected `add`, found {}", self.found()), hint),
        }
        self.expect('(', hint)?;
        let value = self.expr()?;
        self.expect(')', hint)?;
        Ok(Statement::Add { name: name.into(), at, field: field.into(), field_at, value })
    }

    fn commit(&mut self, at: At) -> Result<Statement> {
        let open = self.at();
        self.next += 1;
        let servers = self.expr()?;
        self.take(',');
        let options = self.fields(open)?;
        Ok(Statement::Commit { at, servers, options })
    }

    /// A sum.
    fn expr(&mut self) -> Result<Expr> {
        self.operation(&['+', '-'], |parser| parser.operation(&['*', '/'], Self::deeper))
    }

    fn operation(&mut self, marks: &[char], operand: impl Fn(&mut Self) -> Result<Expr>) -> Result<Expr> {
        let mut left = operand(self)?;
        // What is calculated nests as deep as it is long.
        for _ in 0..MOST_DEPTH {
            let Some(mark) = marks.iter().find(|mark| self.is(0, **mark)) else { return Ok(left) };
            let at = self.at();
            self.next += 1;
            let right = operand(self)?;
            left = Expr { at, form: Form::Binary(Box::new(left), *mark, Box::new(right)) };
        }
        fault(self.at(), format!("there are more than {MOST_DEPTH} numbers to calculate with"), None)
    }

    fn deeper(&mut self) -> Result<Expr> {
        if self.depth == MOST_DEPTH {
            let message = format!("values nest more than {MOST_DEPTH} deep");
            return fault(self.at(), message, "give what is inside a name");
        }
        self.depth += 1;
        let value = self.value();
        self.depth -= 1;
        value
    }

    fn value(&mut self) -> Result<Expr> {
        let at = self.at();
        let Some(token) = self.peek(0) else {
            return fault(at, "expected a value, found the end of the file", None);
        };
        self.next += 1;
        let form = match &token.kind {
            Kind::Text(text) => Form::Text(text.clone()),
            Kind::Number(digits) => number(at, digits)?,
            Kind::Word(name) if self.is(0, '(') => self.call(name)?,
            Kind::Word(name) => match name.as_str() {
                "True" | "true" => Form::Truth(true),
                "False" | "false" => Form::Truth(false),
                "None" => Form::Nothing,
                _ => Form::Name(name.clone()),
            },
            Kind::Mark('-') => Form::Negative(Box::new(self.deeper()?)),
            Kind::Mark('[') => Form::List(self.list(at, '[', ']')?.0),
            Kind::Mark('{') => self.dict(at)?,
            Kind::Mark('(') => match self.list(at, '(', ')')? {
                (mut entries, false) if entries.len() == 1 => entries.remove(0).form,
                (entries, _) => Form::List(entries),
            },
            Kind::Mark(mark) => return fault(at, format!("expected a value, found `{mark}`"), None),
        };
        Ok(Expr { at, form })
    }

    fn call(&mut self, name: &str) -> Result<Form> {
        let open = self.at();
        self.next += 1;
        Ok(Form::Call(name.to_owned(), self.fields(open)?))
    }

    /// `name=value` up to the `)`.
    fn fields(&mut self, open: At) -> Result<Vec<Entry>> {
        let mut fields = Vec::new();
        // The original takes a comma before each entry.
        self.take(',');
        while !self.ends(open, '(', ')')? {
            let at = self.at();
            let name = match self.peek(0).map(|token| &token.kind) {
                Some(Kind::Word(name)) if self.is(1, '=') => name.clone(),
                Some(Kind::Word(name) | Kind::Text(name)) if self.is(1, ':') => {
                    return fault(
                        self.tokens[self.next + 1].at,
                        format!("expected `=` after `{name}`, found `:`"),
                        None,
                    );
                }
                Some(Kind::Mark(_)) => {
                    return fault(
                        at,
                        format!("expected a field or `)`, found {}", self.found()),
                        "Dir(base='static/')",
                    );
                }
                _ => return fault(at, format!("{} has no name", self.found()), "Dir(base='static/')"),
            };
            self.next += 2;
            fields.push(Entry { name, at, value: self.expr()? });
            self.take(',');
        }
        Ok(fields)
    }

    /// The values up to `close`, and whether a comma stood behind any.
    fn list(&mut self, at: At, open: char, close: char) -> Result<(Vec<Expr>, bool)> {
        let mut entries = Vec::new();
        let mut commas = self.take(',');
        while !self.ends(at, open, close)? {
            entries.push(self.expr()?);
            commas |= self.take(',');
        }
        Ok((entries, commas))
    }

    fn dict(&mut self, open: At) -> Result<Form> {
        let mut entries = Vec::new();
        self.take(',');
        while !self.ends(open, '{', '}')? {
            let at = self.at();
            let Some(Kind::Text(name)) = self.peek(0).map(|token| &token.kind) else {
                let message = format!("a key has to be a string, not {}", self.found());
                return fault(at, message, "{'/': Dir(…)}");
            };
            self.next += 1;
            self.expect(':', "{'/': Dir(…)}")?;
            entries.push(Entry { name: name.clone(), at, value: self.expr()? });
            self.take(',');
        }
        Ok(Form::Dict(entries))
    }

    /// Whether the bracket that was opened at `at` is closed here.
    fn ends(&mut self, at: At, open: char, close: char) -> Result<bool> {
        match self.peek(0) {
            None => fault(at, format!("this `{open}` has no `{close}`"), None),
            Some(token) if token.is(close) => {
                self.next += 1;
                Ok(true)
            }
            Some(_) => Ok(false),
        }
    }
}

fn number(at: At, digits: &str) -> Result<Form> {
    match digits.parse::<i64>() {
        Ok(number) => {
            let more = (number.to_string() != digits).then(|| digits.to_owned());
            Ok(Form::Number(number, more))
        }
        Err(_) => fault(at, format!("{digits} is too large a number"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lex::tokens;
    use super::*;

    /// Checks what is told of a text: line, column and message.
    fn check(text: &str, expected: &[(usize, usize, &str)]) {
        let faults = statements(&tokens(text).tokens).1;
        let found: Vec<_> = faults.iter().map(|fault| (fault.at.0, fault.at.1, fault.message.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sound() {
        for text in [
            "",
            "a = 1 b = a",
            "a = [1 2, 3,] b = [, 1]",
            "a = {'x': 1 'y': 2,}",
            "a = Dir(base='x' index_file='y',)",
            "a = (1 + 2) * 3 - -4 / 2",
            "a = ('x', 'y')",
            "a = ()",
            "from mongrel2.config import *\nmain = Server(port=1)\nmain.hosts.add(h)\ncommit([main], settings=s)",
            "a = [True, False, None]",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn each_statement_has_its_fault() {
        check(
            "a = \nb = Dir('x')\nc = {1: 2}\nd = Dir(base: 1)\ne = [1,,2]\ng = 99999999999999999999\nh = 1",
            &[
                (2, 3, "expected a name, found `=`"),
                (3, 6, "a key has to be a string, not `1`"),
                (4, 13, "expected `=` after `base`, found `:`"),
                (5, 8, "expected a value, found `,`"),
                (6, 5, "99999999999999999999 is too large a number"),
            ][..],
        );
        check("f 1", &[(1, 3, "expected `=` after `f`, found `1`")]);
        check("b = Dir('x')", &[(1, 9, "a string has no name")]);
        check("a = Server(\n  x=1\nb = [1]\n", &[(1, 11, "this `(` has no `)`")]);
        check("include('x')", &[(1, 1, "the value of `include(…)` has no name")]);
        check("a.hosts = 1", &[(1, 9, "expected `.`, found `=`")]);
    }

    #[test]
    fn nesting_is_bounded() {
        for (open, close) in [("[", "]"), ("{'x':", "}"), ("A(b=", ")"), ("-", ""), ("(", ")")] {
            let text = format!("a = {}1{}", open.repeat(100_000), close.repeat(100_000));
            let faults = statements(&tokens(&text).tokens).1;
            assert_eq!(faults.len(), 1, "{open}");
            assert_eq!(faults[0].message, "values nest more than 100 deep");
        }
        assert_eq!(statements(&tokens(&format!("a = 1{}", "+1".repeat(100_000))).tokens).1.len(), 1);
    }
}
