//! `palisade matrix`: who can reach whom on what.

mod choice;
mod document;
mod picture;
mod table;
mod view;

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    thread,
};

use palisade_agent::clock::window_s;
use palisade_analysis::{
    Limits,
    matrix::{FamilyPlan, Judge, Matrix, Options, Plan},
};
use palisade_model::Estate;
use palisade_net::Family;

use self::{
    choice::{Chosen, ServiceName},
    view::View,
};
use crate::{
    args::{self, EstateArgs},
    commands::estate,
    exit::{Exit, Failure},
};

/// Options of the command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Interfaces that no rule and no route tells apart are one class. A service passes if the sender's rules let it \
                  out and the receiver's let it in; \"no route\" says that the network does not take it there all the same. \
                  Peers outside are the Internet, tags that rules name, and addresses given with --from or --to.\n\nEvery cell \
                  that is printed has been put to the oracle, with the packet that JSON shows as its witness."
)]
pub struct Arguments {
    #[command(flatten)]
    estate: EstateArgs,
    /// Only from these: an interface, subnet, network, NSG, application security group, tag, address or prefix
    #[arg(long, value_name = "NAME")]
    from: Vec<String>,
    /// Only to these
    #[arg(long, value_name = "NAME")]
    to: Vec<String>,
    /// Only these services: tcp/3389, udp/53, tcp/8000-8999, icmp, or a name such as ssh
    #[arg(long, value_name = "SERVICE")]
    service: Vec<ServiceName>,
    /// A row for each address of an interface, not for each class
    #[arg(long)]
    expand: bool,
    /// When, for rules with a window: a time in ISO 8601 such as 2026-01-31T08:00Z; by default now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<u32>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Where to write the answer, in place of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Aligned text for people.
    Table,
    /// One JSON document.
    Json,
    /// A picture: one SVG document.
    Svg,
}

/// Prints the matrix.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let loaded = estate::load(&arguments.estate)?;
    let now = arguments.at.unwrap_or_else(window_s);
    let chosen = Chosen::read(&loaded.estate, [&arguments.from, &arguments.to])?;
    let services = arguments.service.iter().flat_map(ServiceName::queries).collect();
    let options = Options { outside: chosen.outside.clone(), services };
    let plan = Plan::new(&loaded.estate, &options, now, Limits::default()).map_err(Failure::input)?;
    for tag in plan.unplaced() {
        eprintln!(
            "warning: the addresses of tag {tag} are not known (give --service-tags); it is no row or column"
        );
    }
    let mut judge = Judge::new(&loaded.estate, now);
    let mut views = Vec::new();
    for family in Family::ALL {
        let plan = plan.family(family);
        // A family that no interface has is not worth a word.
        if plan.nodes().iter().any(|node| !node.is_outside()) {
            let matrix = cells(plan);
            let ends = chosen.ends(plan, arguments.expand);
            views.push(View::new(family, &matrix, ends, &mut judge)?);
        }
    }
    let text = written(arguments, &loaded.estate, &views, plan.unplaced())?;
    match &arguments.output {
        None => io::stdout().lock().write_all(text.as_bytes())?,
        Some(path) => {
            fs::write(path, text)
                .map_err(|error| Failure::other_side(format!("{}: {error}", path.display())))?;
        }
    }
    Ok(Exit::Clean)
}

/// The cells of a family, its rows asked on two threads.
fn cells(plan: &FamilyPlan) -> Matrix<'_> {
    let (middle, end) = (plan.row_count() / 2, plan.row_count());
    let halves = thread::scope(|scope| {
        let other = scope.spawn(|| plan.rows(middle..end));
        let own = plan.rows(0..middle);
        vec![own, other.join().expect("asking rows does not panic")]
    });
    plan.join(halves)
}

fn written(
    arguments: &Arguments,
    estate: &Estate,
    views: &[View],
    unplaced: &[String],
) -> Result<String, Failure> {
    Ok(match arguments.format {
        Form::Table => table::text(estate, views),
        Form::Json => {
            let document = document::document(estate, views, unplaced);
            format!("{}\n", serde_json::to_string_pretty(&document)?)
        }
        Form::Svg => picture::picture(views).map_err(Failure::input)?,
    })
}
