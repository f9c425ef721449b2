//! Where in a script's text something is: Rhai tells where a call begins, this finds the field inside.
//!
//! It follows brackets and keys and knows no other grammar.  A file is scanned once, when it is first asked.

use std::collections::{BTreeSet, HashMap};

use super::lex::{At, Kind, Token, tokens};

/// What a file says where.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Where each token is, and how many characters it has on its first line; in order.
    tokens: Vec<(At, usize)>,
    /// Keys of map literals in the arguments of a call: the call, and the keys that lead there.
    keys: HashMap<(At, Vec<String>), At>,
    /// Keys outside of any call, and strings in `[` and `]`.
    loose: HashMap<String, Vec<At>>,
    /// What `let`, `const`, `for`, `import` and parameters name.
    pub(super) variables: BTreeSet<String>,
    /// What `fn` names.
    pub(super) functions: BTreeSet<String>,
}

impl Index {
    /// Scans a text.
    pub(super) fn new(text: &str) -> Self {
        let tokens = tokens(text);
        let mut index =
            Self { tokens: tokens.iter().map(|token| (token.at, token.width)).collect(), ..Self::default() };
        index.find_keys(&tokens);
        index.find_names(&tokens);
        index
    }

    /// What another language's parser knows: its tokens with their widths in order, and the keys of its calls.
    pub(super) fn known(tokens: Vec<(At, usize)>, keys: HashMap<(At, Vec<String>), At>) -> Self {
        Self { tokens, keys, ..Self::default() }
    }

    /// The key that those keys lead to, in the arguments of the call at `call`; else the only one outside of
    /// calls with its name.
    pub(super) fn key(&self, call: At, path: &[&str]) -> Option<At> {
        let wanted = (call, path.iter().map(|key| (*key).to_owned()).collect());
        if let Some(at) = self.keys.get(&wanted) {
            return Some(*at);
        }
        match self.loose.get(*path.last()?)?.as_slice() {
            [at] => Some(*at),
            _ => None,
        }
    }

    /// The token after the one at `at`.
    pub(super) fn after(&self, at: At) -> Option<At> {
        let next = self.tokens.partition_point(|(start, _)| *start <= at);
        self.tokens.get(next).map(|(start, _)| *start)
    }

    /// How many characters to underline at `at`.
    pub(super) fn width(&self, at: At) -> usize {
        self.tokens.binary_search_by_key(&at, |(start, _)| *start).map_or(1, |found| self.tokens[found].1)
    }

    fn find_keys(&mut self, tokens: &[Token]) {
        let mut frames: Vec<Frame> = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            let before = i.checked_sub(1).map(|i| &tokens[i]);
            let after = tokens.get(i + 1);
            match &token.kind {
                Kind::Mark('(') => frames.push(Frame::Call(before.filter(|token| token.is_word()).map(|word| word.at))),
                Kind::Mark('[') => frames.push(Frame::List),
                Kind::Mark('{') => frames.push(Frame::Block),
                Kind::Map => frames.push(Frame::Map(String::new())),
                Kind::Mark(')' | ']' | '}') => drop(frames.pop()),
                Kind::Word(name) | Kind::Text(name) => {
                    let first = before.is_some_and(|token| matches!(token.kind, Kind::Map | Kind::Mark(',')));
                    match frames.last_mut() {
                        Some(Frame::Map(key)) if first && after.is_some_and(|token| token.is(':')) => {
                            name.clone_into(key);
                            self.add(&frames, token.at);
                        }
                        Some(Frame::List) if !token.is_word() && after.is_some_and(|token| token.is(']')) => {
                            self.loose.entry(name.clone()).or_default().push(token.at);
                        }
                        _ => (),
                    }
                }
                Kind::Mark(_) => (),
            }
        }
    }

    fn add(&mut self, frames: &[Frame], at: At) {
        let mut path = Vec::new();
        for frame in frames.iter().rev() {
            match frame {
                Frame::Map(key) => path.insert(0, key.clone()),
                Frame::Call(Some(call)) => {
                    self.keys.insert((*call, path), at);
                    return;
                }
                Frame::Call(None) | Frame::List | Frame::Block => path.insert(0, String::new()),
            }
        }
        self.loose.entry(path.pop().unwrap_or_default()).or_default().push(at);
    }

    fn find_names(&mut self, tokens: &[Token]) {
        for (i, pair) in tokens.windows(2).enumerate() {
            let [Token { kind: Kind::Word(keyword), .. }, Token { kind: Kind::Word(name), .. }] = pair else {
                continue;
            };
            match keyword.as_str() {
                "let" | "const" | "for" | "as" => drop(self.variables.insert(name.clone())),
                "fn" => {
                    self.functions.insert(name.clone());
                    let parameters = tokens[i + 2..].iter().take_while(|token| !token.is(')'));
                    self.variables.extend(parameters.filter_map(Token::word).map(str::to_owned));
                }
                _ => (),
            }
        }
    }
}

/// An open bracket, and in a map the key at hand.
enum Frame {
    Call(Option<At>),
    List,
    Block,
    Map(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks where the text has the key that `path` leads to in the call at line 1, column 1.
    fn check(text: &str, path: &[&str], expected: Option<At>) {
        assert_eq!(Index::new(text).key((1, 1), path), expected, "{text} {path:?}");
    }

    #[test]
    fn keys_of_a_call() {
        check("S(#{a: 1, b: 2})", &["b"], Some((1, 11)));
        check("S(#{a: H(#{b: 1})})", &["b"], None);
        check("S(#{a: #{\"/x\": 1}})", &["a", "/x"], Some((1, 10)));
        check("S([main], #{a: #{b: 1}})", &["a", "b"], Some((1, 18)));
        check("S(#{\n  a: 1,\n  b: 2})", &["b"], Some((3, 3)));
        check("S(#{a: x ? b : c})", &["b"], None);
    }

    #[test]
    fn what_is_in_strings_and_comments_does_not_count() {
        check("S(#{a: \", b: 1\", b: 2})", &["b"], Some((1, 18)));
        check("S(#{a: 1, /* b: 1, /* */ */ b: 2})", &["b"], Some((1, 29)));
        check("S(#{a: 1, // b: )\n b: 2})", &["b"], Some((2, 2)));
        check("S(#{a: \"\\\"\", b: 2})", &["b"], Some((1, 14)));
        check("S(#{#\"/\\d\"\"#: 1, `/\\w`: 2})", &["/\\d\""], Some((1, 5)));
        check("S(#{#\"/\\d\"\"#: 1, `/\\w`: 2})", &["/\\w"], Some((1, 18)));
        check("S(#{\"/\\\\d\": 1})", &["/\\d"], Some((1, 5)));
    }

    #[test]
    fn elsewhere_a_key_counts_if_it_is_the_only_one() {
        check("let r = #{\"/x\": 1}; S(r)", &["routes", "/x"], Some((1, 11)));
        check("h.routes[\"/x\"] = 1;", &["routes", "/x"], Some((1, 10)));
        check("let r = #{a: 1}; let s = #{a: 1};", &["a"], None);
    }

    #[test]
    fn names_and_widths() {
        let index = Index::new("let main = 1; fn add(host, x) {} import \"o\" as other;\nmain.port = 1");
        assert_eq!(index.variables, ["host", "main", "other", "x"].map(str::to_owned).into());
        assert_eq!(index.functions, ["add".to_owned()].into());
        assert_eq!(index.after((2, 5)), Some((2, 6)));
        assert_eq!(index.width((2, 6)), 4);
        assert_eq!(index.width((9, 9)), 1);
    }

    #[test]
    fn unfinished_texts_end() {
        for text in ["\"abc", "`", "#\"x", "/* x", "#", "S(#{", ")]}", "'"] {
            Index::new(text);
        }
    }
}
