//! The elements of an XML document. Strict; without document types, whose entities could grow without end.
//!
//! Source: Extensible Markup Language (XML) 1.0, fifth edition.

use std::borrow::Cow;

use crate::fault::{Fault, Result};

const MAX_DEPTH: usize = 128;

/// An element: its name without a prefix, and what is in it.
#[derive(Debug, Default)]
pub struct Element<'a> {
    pub name: &'a str,
    pub attributes: Vec<(&'a str, Cow<'a, str>)>,
    pub children: Vec<Element<'a>>,
    /// All text that is directly in it.
    pub text: String,
}

/// Read a document, and give its one element.
pub fn document(bytes: &[u8]) -> Result<Element<'_>> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::new("not UTF-8"))?;
    if text.chars().any(|one| !allowed(one)) {
        return Err(wrong("a character that XML does not allow"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut scanner = Scanner { rest: text };
    if scanner.rest.starts_with("<?xml") && scanner.rest[5..].starts_with(is_space) {
        scanner.declaration()?;
    }
    scanner.between()?;
    let root = scanner.element(0)?;
    scanner.between()?;
    if scanner.rest.is_empty() {
        Ok(root)
    } else {
        Err(wrong("more text after the document"))
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn take(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Give what stands before a mark, and go behind it.
    fn until(&mut self, mark: &str) -> Result<&'a str> {
        let (found, rest) = self.rest.split_once(mark).ok_or_else(ended)?;
        self.rest = rest;
        Ok(found)
    }

    /// Pass over white space; gives whether there was some.
    fn space(&mut self) -> bool {
        let rest = self.rest.trim_start_matches(is_space);
        let found = rest.len() < self.rest.len();
        self.rest = rest;
        found
    }

    fn declaration(&mut self) -> Result<()> {
        let found = self.until("?>")?;
        let encoding = found.split_once("encoding").map(|(_, rest)| rest);
        let utf8 = encoding.is_none_or(|rest| {
            let value = rest.trim_start_matches(|one| is_space(one) || one == '=');
            let value = value.trim_start_matches(['"', '\'']).to_ascii_lowercase();
            value.starts_with("utf-8") || value.starts_with("us-ascii")
        });
        if utf8 {
            Ok(())
        } else {
            Err(Fault::new("XML in another encoding than UTF-8"))
        }
    }

    /// Pass over comments and instructions outside of the element.
    fn between(&mut self) -> Result<()> {
        loop {
            self.space();
            if self.rest.starts_with("<!DOCTYPE") {
                return Err(Fault::new("XML with a document type is not read"));
            }
            if !self.aside()? {
                return Ok(());
            }
        }
    }

    /// Pass over a comment or an instruction; false if there is none.
    fn aside(&mut self) -> Result<bool> {
        if self.take("<!--") {
            let comment = self.until("--")?;
            debug_assert!(!comment.contains("--"));
            return if self.take(">") {
                Ok(true)
            } else {
                Err(wrong("two hyphens in a comment"))
            };
        }
        if self.take("<?") {
            let target = self.name()?;
            if target.eq_ignore_ascii_case("xml") {
                return Err(wrong("a declaration that does not stand at the beginning"));
            }
            self.until("?>")?;
            return Ok(true);
        }
        Ok(false)
    }

    fn element(&mut self, depth: usize) -> Result<Element<'a>> {
        if !self.take("<") {
            return Err(wrong("expected an element"));
        }
        if depth >= MAX_DEPTH {
            return Err(Fault::new("XML is nested too deep"));
        }
        let tag = self.name()?;
        let mut element = Element {
            name: local(tag),
            ..Element::default()
        };
        if self.attributes(&mut element)? {
            return Ok(element);
        }
        loop {
            let (text, at_markup) = match self.rest.find(['<', '&']) {
                Some(at) => self.rest.split_at(at),
                None => return Err(ended()),
            };
            if text.contains("]]>") {
                return Err(wrong("`]]>` in text"));
            }
            push_text(text, &mut element.text);
            self.rest = at_markup;
            if self.rest.starts_with('&') {
                element.text.push(self.reference()?);
            } else if self.take("</") {
                if self.name()? != tag {
                    return Err(wrong("an element is closed by another name"));
                }
                self.space();
                return if self.take(">") {
                    Ok(element)
                } else {
                    Err(wrong("expected `>`"))
                };
            } else if self.take("<![CDATA[") {
                let text = self.until("]]>")?;
                push_text(text, &mut element.text);
            } else if !self.aside()? {
                element.children.push(self.element(depth + 1)?);
            }
        }
    }

    /// Read what stands in a tag; gives whether the element ends with it.
    fn attributes(&mut self, element: &mut Element<'a>) -> Result<bool> {
        let mut names: Vec<&str> = Vec::new();
        loop {
            let spaced = self.space();
            if self.take(">") {
                return Ok(false);
            }
            if self.take("/>") {
                return Ok(true);
            }
            if !spaced {
                return Err(wrong("expected white space before an attribute"));
            }
            let name = self.name()?;
            if names.contains(&name) {
                return Err(wrong("an attribute stands twice in a tag"));
            }
            names.push(name);
            self.space();
            if !self.take("=") {
                return Err(wrong("an attribute without a value"));
            }
            self.space();
            let quote = match self.rest.as_bytes().first() {
                Some(b'"') => "\"",
                Some(b'\'') => "'",
                _ => return Err(wrong("the value of an attribute without quotes")),
            };
            self.take(quote);
            let value = self.until(quote)?;
            if value.contains('<') {
                return Err(wrong("`<` in an attribute"));
            }
            // Declarations of prefixes are no data.
            if name != "xmlns" && !name.starts_with("xmlns:") {
                element.attributes.push((local(name), unescaped(value)?));
            }
        }
    }

    fn name(&mut self) -> Result<&'a str> {
        let end = self
            .rest
            .find(|one: char| {
                !(one.is_alphanumeric() || matches!(one, '_' | ':' | '-' | '.' | '\u{b7}'))
            })
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let begins = name
            .chars()
            .next()
            .is_some_and(|one| one.is_alphabetic() || matches!(one, '_' | ':'));
        if !begins {
            return Err(wrong("expected a name"));
        }
        self.rest = rest;
        Ok(name)
    }

    /// Read `&amp;` and the like, or the number of a character.
    fn reference(&mut self) -> Result<char> {
        let unknown = || wrong("a reference to something unknown");
        self.take("&");
        let end = self
            .rest
            .find(';')
            .filter(|end| *end <= 10)
            .ok_or_else(unknown)?;
        let (name, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Ok(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#').ok_or_else(unknown)?;
                let code = match number.strip_prefix('x') {
                    Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                        u32::from_str_radix(digits, 16)
                    }
                    None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse(),
                    _ => return Err(unknown()),
                };
                code.ok()
                    .and_then(char::from_u32)
                    .filter(|one| allowed(*one))
                    .ok_or_else(unknown)?
            }
        })
    }
}

fn unescaped(value: &str) -> Result<Cow<'_, str>> {
    if !value.contains(['&', '\t', '\n', '\r']) {
        return Ok(Cow::Borrowed(value));
    }
    let mut found = String::with_capacity(value.len());
    let mut scanner = Scanner { rest: value };
    while let Some(at) = scanner.rest.find('&') {
        let (text, rest) = scanner.rest.split_at(at);
        found.extend(text.chars().map(blank));
        scanner.rest = rest;
        found.push(scanner.reference()?);
    }
    found.extend(scanner.rest.chars().map(blank));
    Ok(Cow::Owned(found))
}

/// White space in attributes counts as blanks.
fn blank(one: char) -> char {
    if is_space(one) { ' ' } else { one }
}

/// Line ends are one character, however they are written.
fn push_text(text: &str, out: &mut String) {
    if text.contains('\r') {
        out.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
    } else {
        out.push_str(text);
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn is_space(one: char) -> bool {
    matches!(one, ' ' | '\t' | '\r' | '\n')
}

fn allowed(one: char) -> bool {
    matches!(one, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

fn wrong(what: &str) -> Box<Fault> {
    Fault::new(format!("malformed XML: {what}"))
}

fn ended() -> Box<Fault> {
    wrong("the text ends too early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read() {
        let text = "\u{feff}<?xml version='1.0' encoding=\"UTF-8\"?>\n<!-- a --><a:b c='&lt;1&#x41;' x:d = \"\">\
                    t&amp;<e/><![CDATA[<&]]><!-- no --><f>\r\n</f ></a:b>\n<?end?>";
        let root = document(text.as_bytes()).unwrap();
        assert_eq!(root.name, "b");
        assert_eq!(root.attributes, [("c", "<1A".into()), ("d", "".into())]);
        assert_eq!(root.text, "t&<&");
        assert_eq!(root.children[1].text, "\n");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in [
            "",
            "a",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>b",
            "<a b/>",
            "<a b=c/>",
            "<a b='1' b='2'/>",
            "<a b='<'/>",
            "<a b='1'c='2'/>",
            "<a>&nbsp;</a>",
            "<a>&#0;</a>",
            "<a>&#xD800;</a>",
            "<a>&amp</a>",
            "<a>]]></a>",
            "<a><!-- -- --></a>",
            "<1/>",
            "< a/>",
            "<a",
            "<a b='",
            "<a><![CDATA[</a>",
            "\u{0}<a/>",
            "<a>\u{1}</a>",
            "<!DOCTYPE a><a/>",
            "<a><?xml version='1.0'?></a>",
            "<?xml version='1.0' encoding='utf-16'?><a/>",
        ] {
            assert!(document(text.as_bytes()).is_err(), "{text}");
        }
        assert!(document("<a>".repeat(100_000).as_bytes()).is_err());
        assert!(document(b"<a>\xff</a>").is_err());
    }
}
