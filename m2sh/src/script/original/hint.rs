//! Hints are written for Rhai scripts; here they become the original's language.

/// The same hint with the calls and names of the original's language.
pub(super) fn reworded(hint: &str) -> String {
    match hint {
        "give `commit` a list with a `Server(#{…})`" | "commit([server])" => return "servers = [main]".into(),
        "write it without quotes, or use `parse_int`" => return "write it without quotes".into(),
        _ => {}
    }
    if let Some(option) = hint.strip_prefix("commit([…], #{ settings: #{")
        && let Some((settings, rest)) = option.split_once("} })")
    {
        return format!("settings = {{{settings}}}{rest}");
    }
    let mut rewriter = Rewriter { hint, open: Vec::new(), said: String::new(), word: 0 };
    while rewriter.step() {}
    rewriter.said
}

enum Bracket {
    Call,
    Map,
}

struct Rewriter<'a> {
    /// What is left.
    hint: &'a str,
    open: Vec<Bracket>,
    said: String,
    /// How many characters of a name were said last.
    word: usize,
}

impl Rewriter<'_> {
    fn step(&mut self) -> bool {
        let begin = self.said.len() == self.word;
        let is_field = match self.open.last() {
            Some(bracket) => matches!(bracket, Bracket::Call),
            None => begin,
        };
        if self.take("(#{") {
            self.open.push(Bracket::Call);
            self.say("(");
            self.hint = self.hint.trim_start();
        } else if self.take("#{") {
            self.open.push(Bracket::Map);
            self.say("{");
        } else if matches!(self.open.last(), Some(Bracket::Call)) && (self.take(" })") || self.take("})")) {
            self.open.pop();
            self.say(")");
        } else if self.hint.starts_with('}') {
            self.open.pop();
            self.copy();
        } else if self.word > 0 && is_field && self.take(": ") {
            self.say("=");
        } else {
            return self.copy();
        }
        true
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.hint.strip_prefix(text);
        self.hint = rest.unwrap_or(self.hint);
        rest.is_some()
    }

    fn say(&mut self, text: &str) {
        self.said.push_str(text);
        self.word = 0;
    }

    /// Goes on by a string or a character.
    fn copy(&mut self) -> bool {
        let Some(c) = self.hint.chars().next() else { return false };
        let quoted = if c == '"' { self.hint[1..].find('"').map(|end| end + 2) } else { None };
        let (now, rest) = self.hint.split_at(quoted.unwrap_or(c.len_utf8()));
        self.said.push_str(now);
        self.hint = rest;
        self.word = if c.is_ascii_alphanumeric() || c == '_' { self.word + 1 } else { 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_arguments_and_maps_stay_maps() {
        for (hint, expected) in [
            ("port: 6767", "port=6767"),
            ("did you mean `port`?", "did you mean `port`?"),
            ("hosts: [Host(#{name: \"localhost\", routes: #{…}})]", "hosts=[Host(name=\"localhost\", routes={…})]"),
            ("routes: #{\"/\": Dir(#{…})}", "routes={\"/\": Dir(…)}"),
            ("addr: \"127.0.0.1\", port: 8080", "addr=\"127.0.0.1\", port: 8080"),
            ("the hosts are: a, b", "the hosts are: a, b"),
            (
                "upstreams: [Upstream(#{ addr: \"127.0.0.1\", port: 8081 })]",
                "upstreams=[Upstream(addr=\"127.0.0.1\", port=8081)]",
            ),
            (
                "commit([…], #{ settings: #{ \"certdir\": \"/certs/\" } }), and `m2sh cert -new`",
                "settings = { \"certdir\": \"/certs/\" }, and `m2sh cert -new`",
            ),
        ] {
            assert_eq!(reworded(hint), expected);
        }
    }
}
