//! The decoder as a whole: the examples of RFC 6455, what it refuses, and what splitting must not change.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 70_000;

/// What came out: first bytes and payloads, and the fault that ended it.
type Outcome = (Vec<(u8, Vec<u8>)>, Option<Fault>);

/// A client's frame, with the shortest length there is.
fn frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, [0x37, 0xfa, 0x21, 0x3d], payload)
}

/// Decodes pieces, each in a buffer of its own.
fn decode_with(limit: usize, pieces: &[&[u8]]) -> Outcome {
    let (mut decoder, mut messages) = (Decoder::new(limit), Vec::new());
    for piece in pieces {
        let (mut buffer, mut at) = (piece.to_vec(), 0);
        loop {
            match decoder.next(&mut buffer[at..]) {
                Ok(Some(message)) => {
                    at += message.end;
                    messages.push((message.first, message.payload.into_owned()));
                }
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(decoder.next(&mut masked(0x81, b"more")), Ok(None), "behind {fault}");
                    return (messages, Some(fault));
                }
            }
        }
    }
    (messages, None)
}

fn decode(bytes: &[u8]) -> Outcome {
    decode_with(LIMIT, &[bytes])
}

/// Compares what comes out of bytes, at once and one by one.
fn check(bytes: &[u8], expected: &[(u8, &[u8])], fault: Option<Fault>) {
    let expected = expected.iter().map(|(first, payload)| (*first, payload.to_vec())).collect();
    let expected = (expected, fault);
    assert_eq!(decode(bytes), expected, "{bytes:x?}");
    assert_eq!(decode_with(LIMIT, &bytes.chunks(1).collect::<Vec<_>>()), expected, "{bytes:x?} byte by byte");
}

#[test]
fn examples_of_section_5_7() {
    // A server refuses those that aren't masked.
    check(&[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], &[], Some(Fault::Unmasked));
    check(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], &[(0x81, b"Hello")], None);
    check(&[0x01, 0x03, 0x48, 0x65, 0x6c], &[], Some(Fault::Unmasked));
    check(&[masked(0x01, b"Hel"), masked(0x80, b"lo")].concat(), &[(0x81, b"Hello")], None);
    check(&[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f], &[], Some(Fault::Unmasked));
    check(&[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], &[(0x8a, b"Hello")], None);
    let (short, long) = ([7; 256], vec![7; 65_536]);
    let (short_frame, long_frame) = (masked(0x82, &short), masked(0x82, &long));
    assert_eq!(short_frame[..4], [0x82, 0xfe, 0x01, 0x00]);
    assert_eq!(long_frame[..10], [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
    check(&short_frame, &[(0x82, &short)], None);
    check(&long_frame, &[(0x82, &long)], None);
}

#[test]
fn what_the_original_accepted() {
    let client = include_str!("../../../tests/recorded/websocket-handshake.client");
    let headers = client.lines().filter_map(|line| line.split_once(": "));
    let handler = include_bytes!("../../../tests/recorded/websocket-handshake.handler.0");
    let request = mongrel2::wire::request::parse(handler).unwrap();
    assert_eq!(request.header("sec-websocket-version"), Some(VERSION));
    assert_eq!(
        asked(b"GET", 1, headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()))),
        Handshake::Accept(String::from_utf8(request.body).unwrap())
    );
}

#[test]
fn what_the_original_passed_on() {
    for (client, handler) in [
        (
            &include_bytes!("../../../tests/recorded/websocket-text.client")[..],
            &include_bytes!("../../../tests/recorded/websocket-text.handler.0")[..],
        ),
        (
            include_bytes!("../../../tests/recorded/websocket-binary.client"),
            include_bytes!("../../../tests/recorded/websocket-binary.handler.0"),
        ),
        (
            include_bytes!("../../../tests/recorded/websocket-fragmented.client"),
            include_bytes!("../../../tests/recorded/websocket-fragmented.handler.0"),
        ),
        (
            include_bytes!("../../../tests/recorded/websocket-ping.client"),
            include_bytes!("../../../tests/recorded/websocket-ping.handler.0"),
        ),
        (
            include_bytes!("../../../tests/recorded/websocket-close.client"),
            include_bytes!("../../../tests/recorded/websocket-close.handler.0"),
        ),
    ] {
        let request = mongrel2::wire::request::parse(handler).unwrap();
        let flags = u8::from_str_radix(request.header("FLAGS").unwrap().trim_start_matches("0x"), 16).unwrap();
        check(client, &[(flags, &request.body)], None);
    }
}

#[test]
fn fragments_and_control_frames() {
    // Section 5.4: control frames come between fragments; section 5.6: a fragment may end within a character.
    let bytes = [
        masked(0x01, b""),
        masked(0x89, b"ping"),
        masked(0x00, b"gr\xc3"),
        masked(0x00, b""),
        masked(0x8a, b""),
        masked(0x80, b"\xbcn"),
        masked(0x02, b"\xff"),
        masked(0x80, b""),
        masked(0x82, b""),
        masked(0x81, b""),
    ]
    .concat();
    let messages: [(u8, &[u8]); 6] =
        [(0x89, b"ping"), (0x8a, b""), (0x81, "gr\u{fc}n".as_bytes()), (0x82, b"\xff"), (0x82, b""), (0x81, b"")];
    check(&bytes, &messages, None);
}

#[test]
fn nothing_counts_behind_a_close_frame() {
    // Section 1.4: "discards any further data received".
    let bytes = [masked(0x01, b"a"), masked(0x88, b"\x03\xe8bye"), masked(0x80, b"b"), vec![0xff; 20]].concat();
    check(&bytes, &[(0x88, b"\x03\xe8bye")], None);
    check(&[masked(0x88, b""), masked(0x81, b"x")].concat(), &[(0x88, b"")], None);
}

#[test]
fn faults() {
    let hello = masked(0x81, b"hello");
    for (bytes, expected, code) in [
        (masked(0xc1, b"x"), Fault::ReservedBit, 1002),
        (masked(0x83, b"x"), Fault::ReservedOpcode(3), 1002),
        (masked(0x09, b"x"), Fault::FragmentedControl, 1002),
        (masked(0x89, &[0; 126]), Fault::LongControl, 1002),
        (masked(0x80, b"x"), Fault::NothingToContinue, 1002),
        ([masked(0x01, b"x"), masked(0x81, b"x")].concat(), Fault::Interrupted, 1002),
        (vec![0x82, 0xfe, 0, 1], Fault::LengthForm, 1002),
        (vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Fault::LengthSign, 1002),
        (masked(0x88, b"x"), Fault::CloseLength, 1002),
        (masked(0x88, b"\x03\xee"), Fault::CloseCode(1006), 1002),
        // Section 8.1, and 7.1.6 for the reason.
        (masked(0x81, b"\xff"), Fault::Text, 1007),
        (masked(0x81, b"gr\xc3"), Fault::Text, 1007),
        ([masked(0x01, b"gr\xc3"), masked(0x80, b"n")].concat(), Fault::Text, 1007),
        ([masked(0x01, b"gr\xc3"), masked(0x80, b"")].concat(), Fault::Text, 1007),
        (masked(0x88, b"\x03\xe8\xff"), Fault::Text, 1007),
    ] {
        let bytes = [&hello[..], &bytes].concat();
        check(&bytes, &[(0x81, b"hello")], Some(expected));
        assert_eq!(close_frame(expected.code()), close_frame(code), "{expected}");
    }
}

#[test]
fn a_message_that_has_ended_cannot_be_continued() {
    let bytes = [masked(0x01, b""), masked(0x80, b"x"), masked(0x80, b"y")].concat();
    check(&bytes, &[(0x81, b"x")], Some(Fault::NothingToContinue));
}

#[test]
fn faults_are_told_before_the_frame_is_whole() {
    // A text's, with the bytes that break it, although its header announces more.
    let text = masked(0x01, b"ok\xff and more");
    assert_eq!(decode(&text[..6 + 2]), (vec![], None));
    assert_eq!(decode(&text[..6 + 3]), (vec![], Some(Fault::Text)));
    // A length's, before the mask and the payload.
    assert_eq!(decode(&[0x82, 0xff, 0, 0, 0, 0, 0xff, 0, 0, 0]), (vec![], Some(Fault::TooLong)));
}

#[test]
fn the_limit_is_that_of_the_joined_message() {
    let fits = [masked(0x02, b"abc"), masked(0x89, b"more than six"), masked(0x00, b""), masked(0x80, b"def")].concat();
    assert_eq!(decode_with(6, &[&fits]).1, None);
    for bytes in [
        masked(0x82, b"abcdefg"),
        [masked(0x02, b"abc"), masked(0x80, b"defg")].concat(),
        [masked(0x02, b"abcdef"), masked(0x00, b""), masked(0x00, b"g")].concat(),
    ] {
        let (messages, fault) = decode_with(6, &[&bytes]);
        assert_eq!((messages, fault.map(Fault::code)), (vec![], Some(1009)), "{bytes:x?}");
    }
}

#[test]
fn a_message_in_one_piece_is_not_copied() {
    let mut input = [masked(0x81, b"first"), masked(0x82, b"second"), masked(0x89, b"third")].concat();
    let (mut decoder, mut at) = (Decoder::new(LIMIT), 0);
    for expected in [b"first".as_slice(), b"second", b"third"] {
        let message = decoder.next(&mut input[at..]).unwrap().unwrap();
        assert!(matches!(message.payload, Cow::Borrowed(payload) if payload == expected), "{message:?}");
        at += message.end;
    }
    assert_eq!(at, input.len());
    assert_eq!(decoder.next(&mut []), Ok(None));
}

#[test]
fn empty_fragments_and_announced_bytes_take_no_memory() {
    let mut decoder = Decoder::new(LIMIT);
    decoder.next(&mut masked(0x02, b"")).unwrap();
    for _ in 0..1000 {
        assert_eq!(decoder.next(&mut masked(0x00, b"")), Ok(None));
    }
    let mut header = masked(0x00, &[0; LIMIT]);
    assert_eq!(decoder.next(&mut header[..14]), Ok(None));
    assert_eq!(decoder.joined.room(), LIMIT);
}

/// A message and how it is sent.
#[derive(Debug, Clone)]
struct Sent {
    opcode: u8,
    data: Vec<u8>,
    /// Where it is cut into fragments.
    cuts: Vec<prop::sample::Index>,
    /// What is in the control frames between them.
    control: Vec<u8>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let message = prop_oneof![
        any::<String>().prop_map(|text| (0x01, text.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| (0x02, bytes)),
    ];
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let control = prop::collection::vec(any::<u8>(), 0..126);
    (message, cuts, control).prop_map(|((opcode, data), cuts, control)| Sent { opcode, data, cuts, control })
}

/// Cuts bytes into pieces.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}

proptest! {
    #[test]
    fn there_and_back(
        messages in prop::collection::vec(sent(), 0..6),
        masks in prop::collection::vec(any::<[u8; 4]>(), 1..9),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        let mut masks = masks.into_iter().cycle();
        let mut send = |first: u8, payload: &[u8]| bytes.extend(frame(first, masks.next().unwrap(), payload));
        for Sent { opcode, data, cuts, control } in messages {
            let fragments = pieces(&data, &cuts);
            for (index, fragment) in fragments.iter().enumerate() {
                let fin = if index + 1 == fragments.len() { 0x80 } else { 0 };
                send(fin | if index == 0 { opcode } else { 0 }, fragment);
                if fin == 0 {
                    send(0x89, &control);
                    expected.push((0x89, control.clone()));
                }
            }
            expected.push((0x80 | opcode, data));
        }
        prop_assert_eq!(decode_with(LIMIT, &pieces(&bytes, &cuts)), (expected, None));
    }

    #[test]
    fn splitting_changes_nothing(
        frames in prop::collection::vec((
            prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0x83, 0xc1, 0x09]),
            prop_oneof![
                Just(b"text".to_vec()), Just(vec![]), Just(vec![0xc3]), Just(vec![0xbc, b'n']), Just(vec![3, 0xe8]),
                prop::collection::vec(any::<u8>(), 0..200),
            ],
        ), 0..8),
        garbage in prop::collection::vec(any::<u8>(), 0..9),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let mut bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| masked(*first, payload)).collect();
        bytes.extend(garbage);
        let expected = decode_with(150, &[&bytes]);
        prop_assert_eq!(decode_with(150, &pieces(&bytes, &cuts)), expected.clone());
        prop_assert_eq!(decode_with(150, &bytes.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(prop_oneof![
        Just(0x81), Just(0x01), Just(0x80), Just(0x00), Just(0xfe), Just(0xff), any::<u8>(),
    ], 0..200), limit in 0usize..300) {
        let _ = decode_with(limit, &[&bytes]);
    }
}
