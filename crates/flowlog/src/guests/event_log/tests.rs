//! A log of one record, put together byte by byte: a template that stands in the record, with values of several types.

use super::*;

/// A chunk as it grows.
struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn wide(&mut self, text: &str) -> &mut Self {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.put(&units)
    }

    fn number(&mut self, number: usize, bytes: usize) -> &mut Self {
        let all = number.to_le_bytes();
        self.put(&all[..bytes])
    }

    /// A name that stands where it is used.
    fn name(&mut self, name: &str) -> &mut Self {
        let place = self.0.len() + 4;
        self.number(place, 4).number(0, 6).number(name.len(), 2).wide(name).number(0, 2)
    }

    fn open(&mut self, name: &str, attribute: Option<(&str, &str)>) -> &mut Self {
        self.put(&[if attribute.is_some() { 0x41 } else { 0x01 }]).number(0xffff, 2).number(0, 4).name(name);
        if let Some((key, value)) = attribute {
            self.number(0, 4).put(&[0x06]).name(key);
            self.put(&[0x05, 0x01]).number(value.len(), 2).wide(value);
        }
        self.put(&[0x02])
    }

    fn substitution(&mut self, number: usize, kind: u8) -> &mut Self {
        self.put(&[0x0d]).number(number, 2).put(&[kind])
    }

    fn close(&mut self) -> &mut Self {
        self.put(&[0x04])
    }
}

/// The template's document.
fn document(chunk: &mut Writer) {
    chunk.put(&[0x0f, 1, 1, 0]).open("Event", None).open("System", None);
    chunk.open("Provider", Some(("Name", "Microsoft-Windows-Security-Auditing"))).close();
    chunk.open("EventID", None).substitution(0, 0x06).close();
    chunk.open("Computer", None).substitution(1, 0x01).close().close();
    chunk.open("EventData", None);
    chunk.open("Data", Some(("Name", "SubStatus"))).substitution(2, 0x14).close();
    chunk.open("Data", None).substitution(3, 0x81).close();
    chunk.close().close().put(&[0x00]);
}

fn file() -> Vec<u8> {
    let mut chunk = Writer(CHUNK_MAGIC.to_vec());
    chunk.0.resize(CHUNK_HEADER, 0);
    // 2026-01-31T08:00:00.250Z.
    let time = usize::try_from(EPOCH).expect("64 bits") + 1_769_846_400_250 * 10_000;
    chunk.put(RECORD_MAGIC).number(0, 4).number(7, 8).number(time, 8);
    chunk.put(&[0x0f, 1, 1, 0, 0x0c, 1]).number(99, 4);
    let definition = chunk.0.len() + 4;
    chunk.number(definition, 4).put(&[0; 20]).number(0, 4);
    document(&mut chunk);
    let length = chunk.0.len() - definition - 24;
    chunk.0[definition + 20..definition + 24]
        .copy_from_slice(&u32::try_from(length).expect("small").to_le_bytes());
    let list: Vec<u8> = "sa\0no\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    chunk.number(4, 4);
    for (size, kind) in [(2, 0x06), (8, 0x01), (4, 0x14), (list.len(), 0x81)] {
        chunk.number(size, 2).put(&[kind, 0]);
    }
    chunk.number(4_625, 2).wide("web1").number(0xc000_006a, 4).put(&list);
    let size = chunk.0.len() + RECORD_TRAILER - CHUNK_HEADER;
    chunk.number(size, 4);
    chunk.0[CHUNK_HEADER + 4..CHUNK_HEADER + 8]
        .copy_from_slice(&u32::try_from(size).expect("small").to_le_bytes());
    chunk.0.resize(CHUNK, 0);
    let mut file = FILE_MAGIC.to_vec();
    file.resize(FILE_HEADER, 0);
    file.extend(chunk.0);
    file
}

#[test]
fn a_template_and_its_values_are_an_event() {
    let mut all = Vec::new();
    records(&file(), |record| all.push(record));
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].number, all[0].time_ms), (7, 1_769_846_400_250));
    let event = all.remove(0).event.expect("it can be read");
    let fields: Vec<(&str, &str, String)> =
        event.fields.iter().map(|f| (f.name.as_str(), f.attribute.as_str(), f.texts.join("|"))).collect();
    let expected = [
        ("Provider", "Microsoft-Windows-Security-Auditing", String::new()),
        ("EventID", "", "4625".to_owned()),
        ("Computer", "", "web1".to_owned()),
        ("Data", "SubStatus", "0xc000006a".to_owned()),
        ("Data", "", "sa|no".to_owned()),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_size_that_is_wrong_ends_a_chunk_and_is_told() {
    let mut damaged = file();
    damaged[FILE_HEADER + CHUNK_HEADER + 6] = 9;
    let mut all = Vec::new();
    records(&damaged, |record| all.push(record.event.is_err()));
    assert_eq!(all, [true]);
}

#[test]
fn what_is_lost_is_told() {
    let told = |bytes: &[u8]| {
        let mut all = Vec::new();
        records(bytes, |record| all.push(record.event.err()));
        all
    };
    let cut = Some("the log is cut off; what follows is lost");
    let empty = Some("the log has no chunk of records (it is cut off, or was never written)");
    let whole = file();
    assert_eq!(told(&whole), [None]);
    assert_eq!(told(&[&whole[..], &[0; CHUNK]].concat()), [None], "room for later");
    assert_eq!(told(&whole[..whole.len() - 1]), [None, cut]);
    assert_eq!(told(&whole[..FILE_HEADER + 100]), [cut]);
    assert_eq!(told(&whole[..100]), [empty]);
    assert_eq!(told(&[0; FILE_HEADER + CHUNK]), [empty]);
    let mut marked = whole;
    marked[FILE_HEADER] = b'X';
    assert_eq!(told(&marked), [Some("its chunk has lost its mark, and with it all its records")]);
}
