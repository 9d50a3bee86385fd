//! Which records of a store a command is about.

use std::net::IpAddr;

use palisade_flowstore::{
    Kind,
    query::{Filter, NIC, Term, Test},
};
use palisade_model::calendar::Moment;
use palisade_net::{Direction, Prefix, Protocol, ProtocolMatch};

/// Options that choose records. Those of one name are alternatives; those of different names must all hold.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Records")]
pub struct FilterArgs {
    /// From this moment on: 2026-11-22T13:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<u64>,
    /// Before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<u64>,
    /// Of this interface: its resource's name or id
    #[arg(long, value_name = "NIC")]
    nic: Vec<String>,
    /// What happened: begin, continue, end, deny, cut, wouldDeny, limit, allow
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    kind: Vec<Kind>,
    /// Inbound or Outbound
    #[arg(long, value_name = "DIRECTION", value_parser = direction)]
    direction: Vec<Direction>,
    /// Tcp, Udp, Icmp, Icmpv6, Esp, Ah, or IANA's number
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol)]
    protocol: Vec<Protocol>,
    /// Address or prefix behind the interface
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    local: Vec<Prefix>,
    /// The other address or prefix
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    remote: Vec<Prefix>,
    /// Address or prefix of either end
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    address: Vec<Prefix>,
    /// Port behind the interface, or a range such as 1000-2000
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = ports)]
    local_port: Vec<(i64, i64)>,
    /// The other port, or a range
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = ports)]
    remote_port: Vec<(i64, i64)>,
    /// Port of either end, or a range
    #[arg(long, value_name = "PORT", value_delimiter = ',', value_parser = ports)]
    port: Vec<(i64, i64)>,
    /// NSG that decided, as the log calls it
    #[arg(long, value_name = "NSG")]
    nsg: Vec<String>,
    /// Rule that decided
    #[arg(long, value_name = "RULE")]
    rule: Vec<String>,
    /// Reason code
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,
}

impl FilterArgs {
    /// The filter that they make.
    pub fn filter(&self) -> Filter {
        let texts = |words: Vec<&str>| Test::Text(words.into_iter().map(str::to_owned).collect());
        let given = |words: &[String]| Test::Text(words.to_vec());
        let protocols = self.protocol.iter().map(|protocol| (protocol.0.into(), protocol.0.into())).collect();
        let directions: Vec<String> = self.direction.iter().map(ToString::to_string).collect();
        let all: [(&'static [&'static str], Test); 13] = [
            (NIC, given(&self.nic)),
            (&["kind"], texts(self.kind.iter().map(|kind| kind.word()).collect())),
            (&["direction"], Test::Text(directions)),
            (&["protocol"], Test::Number(protocols)),
            (&["local_address"], Test::Address(self.local.clone())),
            (&["remote_address"], Test::Address(self.remote.clone())),
            (&["local_address", "remote_address"], Test::Address(self.address.clone())),
            (&["local_port"], Test::Number(self.local_port.clone())),
            (&["remote_port"], Test::Number(self.remote_port.clone())),
            (&["local_port", "remote_port"], Test::Number(self.port.clone())),
            (&["nsg"], given(&self.nsg)),
            (&["rule"], given(&self.rule)),
            (&["reason"], given(&self.reason)),
        ];
        let terms = all.into_iter().filter(|(_, test)| is_given(test));
        Filter {
            from_ms: self.from.unwrap_or(0),
            to_ms: self.to.unwrap_or(u64::MAX),
            terms: terms.map(|(columns, is)| Term { columns, is }).collect(),
        }
    }
}

const fn is_given(test: &Test) -> bool {
    match test {
        Test::Text(words) => !words.is_empty(),
        Test::Number(ranges) => !ranges.is_empty(),
        Test::Address(prefixes) => !prefixes.is_empty(),
        Test::Flag(_) => true,
    }
}

/// A moment since 1970, in milliseconds, as people or programs write it.
pub fn moment(text: &str) -> Result<u64, String> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let moment = Moment::parse(text).filter(|moment| !moment.has_fraction);
    let seconds = moment.and_then(|moment| u64::try_from(moment.seconds).ok());
    seconds
        .and_then(|seconds| seconds.checked_mul(1_000))
        .ok_or_else(|| "it is no moment since 1970 (write 2026-11-22T13:00:00Z, or milliseconds)".to_owned())
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::named(word.trim()).ok_or_else(|| {
        let words: Vec<&str> = Kind::ALL.into_iter().map(Kind::word).collect();
        format!("it is none of {}", words.join(", "))
    })
}

fn direction(word: &str) -> Result<Direction, String> {
    word.parse().map_err(|()| "it is neither Inbound nor Outbound".to_owned())
}

fn protocol(word: &str) -> Result<Protocol, String> {
    match word.parse() {
        Ok(ProtocolMatch::Number(protocol)) => Ok(protocol),
        Ok(ProtocolMatch::Icmp) => Ok(Protocol::ICMP),
        _ => Err("it is none of Tcp, Udp, Icmp, Icmpv6, Esp, Ah, and no number up to 255".to_owned()),
    }
}

fn prefix(text: &str) -> Result<Prefix, String> {
    let host = text
        .parse::<IpAddr>()
        .map(|address| format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }));
    let prefix = host.as_deref().unwrap_or(text).parse::<Prefix>();
    prefix.map_err(|error| error.to_string())
}

fn ports(text: &str) -> Result<(i64, i64), String> {
    let port = |text: &str| text.trim().parse::<u16>().map_err(|_| format!("{text} is no port (0 to 65535)"));
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if first > last {
        return Err(format!("the range {first}-{last} is reversed (write {last}-{first})"));
    }
    Ok((first.into(), last.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_knows_every_kind_that_hosts_tell_of() {
        for kind in palisade_agent::events::Kind::ALL {
            assert_eq!(Kind::named(kind.word()).map(Kind::word), Some(kind.word()));
        }
    }
}
