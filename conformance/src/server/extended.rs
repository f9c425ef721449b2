//! Replies to the server itself: about a connection, or a file for it.

use std::fs;

use mongrel2::wire::request::Request;

use super::Row;
use super::subject::Subject;
use crate::check::{Problem, Verdict};
use crate::client::Client;

pub(super) const ROWS: &[Row] = &[
    ("keep-alive", "`ctl` with `keep-alive` marks a connection as alive, and changes nothing else.", keep_alive),
    ("cancel", "`ctl` with `cancel` drops the connection at once, and no notice comes.", cancel),
    ("sendfile", "`sendfile` sends a file below the handler's folder, among other replies.", sendfile),
    ("sendfile-outside", "It sends none from elsewhere.", sendfile_outside),
    ("unknown", "A name that isn't known is skipped.", unknown),
    ("garbage", "What is no list of a name and its data is skipped.", garbage),
];

fn asked(subject: &Subject, name: &str) -> Verdict<(Client, Request)> {
    let (client, message) = subject.ask(&subject.json, &format!("GET /json/extended/{name}"), "")?;
    Ok((client, message.request))
}

/// Sends an extended reply with any bytes in it.
fn raw(subject: &Subject, request: &Request, body: &str) -> Verdict {
    let ids = format!("X {}", request.id);
    subject.json.send(format!("{} {}:{ids}, {body}", request.sender, ids.len()))
}

/// That the connection still waits, and gets its answer.
fn is_untouched(subject: &Subject, client: &mut Client, request: &Request) -> Verdict {
    subject.json.answer(request, "untouched")?;
    client.answer(false)?.expect(200, "untouched")
}

fn keep_alive(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "keep-alive")?;
    for value in ["4:true!", "0:~", "1:1#", "0:,", "2:0:,]"] {
        let dict = format!("10:keep-alive,{value}");
        let list = format!("3:ctl,{}:{dict}}}", dict.len());
        raw(subject, &request, &format!("{}:{list}]", list.len()))?;
    }
    is_untouched(subject, &mut client, &request)
}

fn cancel(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "cancel")?;
    subject.json.cancel(&request)?;
    client.is_closed()?;
    let (other, last) = asked(subject, "cancel/other")?;
    drop(other);
    subject.json.disconnect(last.id)?;
    subject.json.has_none("notices about it", |notice| notice.id == request.id && notice.is_disconnect())
}

/// The file, wherever a server looks for it that knows no `sendfile_root`.
fn write(subject: &Subject, name: &str, content: &[u8]) -> Verdict {
    let places = ["files", "."].map(|folder| subject.site.folder.join(folder).join(name));
    places.iter().try_for_each(|place| fs::write(place, content)).map_err(Problem::wrong)
}

fn sendfile(subject: &Subject) -> Verdict {
    let content: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    write(subject, "sent", &content)?;
    let (mut client, request) = asked(subject, "sendfile")?;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n<", content.len() + 2);
    subject.json.reply(&request, &[request.id], head)?;
    subject.json.send_file(&request, "sent")?;
    subject.json.reply(&request, &[request.id], ">")?;
    client.answer(false)?.expect(200, [b"<", &content[..], b">"].concat())
}

fn sendfile_outside(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "sendfile-outside")?;
    for path in ["../config.sqlite", "/etc/passwd", "../files/../config.sqlite", "", "nothing", "a\0b"] {
        subject.json.send_file(&request, path)?;
    }
    is_untouched(subject, &mut client, &request)
}

fn unknown(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "unknown")?;
    raw(subject, &request, "10:4:frob,0:}]")?;
    raw(subject, &request, "27:3:ctl,18:10:frobnicate,1:1#}]")?;
    is_untouched(subject, &mut client, &request)
}

fn garbage(subject: &Subject) -> Verdict {
    let (mut client, request) = asked(subject, "garbage")?;
    let deep = format!("{}0:~{}", "9:".repeat(100), "]".repeat(100));
    let bad = ["junk", "0:]", "6:3:ctl,]", "0:~", "9:3:ctl,0:~]", "12:3:ctl,0:}0:~]", "3:ctl,", "99:3:ctl,0:}]", &deep];
    bad.iter().try_for_each(|body| raw(subject, &request, body))?;
    is_untouched(subject, &mut client, &request)
}
