//! Writing and asking, with their times: of the clock and of the processor.

use std::{
    fs,
    num::NonZero,
    path::Path,
    time::{Duration, Instant},
};

use palisade_flowstore::{
    FlowWriter, Store, StoreError, WriterOptions, compact,
    query::{Answer, Filter, Key, Measure, NIC, Question, Scanned, Term, Test, ask},
    schema,
};

use super::workload::{DAY_MS, RARE, START_MS, Workload};

/// Records that are made at once.
const PART: usize = 1 << 19;

/// Times of one thing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    /// Of the clock.
    pub wall: Duration,
    /// Of the processor: all threads of this process.
    pub processor: Duration,
}

/// What writing took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wrote {
    /// Records.
    pub records: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// Appending and flushing, without the making of records.
    pub taken: Taken,
}

/// One question and what it took.
#[derive(Debug)]
pub struct Asked {
    /// Its name.
    pub name: &'static str,
    /// Groups in the answer.
    pub groups: u64,
    /// What was looked at.
    pub scanned: Scanned,
    /// The best of three.
    pub taken: Taken,
}

/// Writes a day of so many records, an hour after the other, and compacts each hour when it is over.
///
/// # Errors
/// [`StoreError`].
pub fn write(folder: &Path, records: usize, compacts: bool) -> Result<Wrote, StoreError> {
    let store = Store::open(&folder.to_string_lossy())?;
    let mut writer =
        FlowWriter::new(store.clone(), WriterOptions { age_ms: u64::MAX, ..WriterOptions::default() });
    let mut workload = Workload::new(1);
    let mut taken = Taken::default();
    let parts = records.div_ceil(PART);
    for part in 0..parts {
        let place = |part: usize| START_MS + DAY_MS * part as u64 / parts as u64;
        let made = workload.records((records - part * PART).min(PART), place(part), place(part + 1));
        let (begun, processor) = (Instant::now(), processor_time());
        for record in made {
            writer.append(record, 0)?;
        }
        writer.flush()?;
        taken.wall += begun.elapsed();
        taken.processor += processor_time().saturating_sub(processor);
    }
    let written = writer.written();
    if compacts {
        compact(&store, u64::MAX, NonZero::<usize>::MIN)?;
    }
    Ok(Wrote { records: written.records, bytes: written.bytes, taken })
}

/// Asks what people ask of a day of flows.
///
/// # Errors
/// [`StoreError`].
pub fn questions(folder: &Path, threads: NonZero<usize>) -> Result<Vec<Asked>, StoreError> {
    let store = Store::open(&folder.to_string_lossy())?;
    let column = |name| Key::Column(schema::column(name).expect("there is such a column"));
    let term = |columns: &'static [&'static str], is| vec![Term { columns, is }];
    let all = Vec::new;
    let rare =
        Test::Address(vec![format!("{}/32", std::net::Ipv4Addr::from(RARE)).parse().expect("a prefix")]);
    let rdp = Test::Number(vec![(3_389, 3_389)]);
    let nic = Test::Text(vec!["nic042".to_owned()]);
    let denied = Test::Text(vec!["deny".to_owned()]);
    [
        ("top addresses by bytes", all(), vec![column("remote_address")], Measure::Bytes),
        ("top interfaces by bytes", all(), vec![column("nic")], Measure::Bytes),
        ("top ports by records", all(), vec![column("local_port")], Measure::Records),
        ("one address", term(&["remote_address"], rare), vec![column("nic")], Measure::Records),
        ("one interface by hour", term(NIC, nic), vec![Key::Span(3_600_000)], Measure::Records),
        (
            "denied RDP by address",
            [term(&["local_port"], rdp), term(&["kind"], denied)].concat(),
            vec![column("remote_address")],
            Measure::Records,
        ),
    ]
    .into_iter()
    .map(|(name, terms, by, measure)| {
        let filter = Filter { terms, ..Filter::default() };
        let question = Question { filter, by, measures: vec![measure], limit: 10 };
        best(name, || ask(&store, &question, threads))
    })
    .collect()
}

/// The quickest of three.
fn best(name: &'static str, ask: impl Fn() -> Result<Answer, StoreError>) -> Result<Asked, StoreError> {
    let mut best: Option<Asked> = None;
    for _ in 0..3 {
        let (begun, processor) = (Instant::now(), processor_time());
        let answer = ask()?;
        let taken = Taken { wall: begun.elapsed(), processor: processor_time().saturating_sub(processor) };
        if best.as_ref().is_none_or(|best| taken.wall < best.taken.wall) {
            best = Some(Asked { name, groups: answer.groups_found, scanned: answer.scanned, taken });
        }
    }
    Ok(best.expect("it was asked"))
}

/// Time that the processor spent on this process, in hundredths of a second.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field =
        |place| behind_name.split_ascii_whitespace().nth(place).and_then(|field| field.parse::<u64>().ok());
    let ticks = field(11).unwrap_or(0) + field(12).unwrap_or(0);
    Duration::from_millis(ticks * 10)
}
