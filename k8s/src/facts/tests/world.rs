//! A random cluster whose changes arrive late, twice, out of order and with lists in between, against `naive`.

use proptest::prelude::*;

use super::naive::Naive;
use super::*;
use crate::facts::Row;

const IPS: [&str; 3] = ["10.0.0.1", "10.0.0.2", "fd00::1"];
const KINDS: [Kind; 5] = [Kind::Pod, Kind::Service, Kind::ReplicaSet, Kind::EndpointSlice, Kind::Deployment];

/// A thing that happens in the cluster: some object of a kind appears, changes or goes.
#[derive(Debug, Clone)]
struct Step {
    kind: usize,
    which: usize,
    goes: bool,
    dice: [usize; 4],
}

/// What the cluster says of itself: how far behind each kind is, and what is told again.
#[derive(Debug, Clone)]
enum Delivery {
    /// The next changes of a kind.
    Next { kind: usize, many: usize },
    /// Changes that were told already are told again from some time ago on.
    Again { kind: usize, back: usize },
    /// A list of a kind, as of some changes further than was told.
    List { kind: usize, ahead: usize },
    /// Time passes and what is old is forgotten.
    Advance(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..KINDS.len(), 0..3_usize, proptest::bool::weighted(0.3), [0..4_usize, 0..4, 0..4, 0..4]);
    let step = step.prop_map(|(kind, which, goes, dice)| Step { kind, which, goes, dice });
    proptest::collection::vec(step, 1..50)
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let kind = || 0..KINDS.len();
    let one = prop_oneof![
        6 => (kind(), 1..6_usize).prop_map(|(kind, many)| Delivery::Next { kind, many }),
        2 => (kind(), 1..8_usize).prop_map(|(kind, back)| Delivery::Again { kind, back }),
        2 => (kind(), 0..6_usize).prop_map(|(kind, ahead)| Delivery::List { kind, ahead }),
        1 => (1..60_i64).prop_map(Delivery::Advance),
    ];
    proptest::collection::vec(one, 0..40)
}

/// The changes of each kind, in order of their versions; a version is a time as well.
fn history(steps: &[Step]) -> Vec<Vec<(u64, News)>> {
    let mut living = BTreeMap::<(usize, usize), Object>::new();
    let mut born = 0;
    let mut changes = vec![Vec::new(); KINDS.len()];
    for (version, step) in (1_u64..).zip(steps) {
        let key = (step.kind, step.which);
        let before = living.get(&key);
        if step.goes {
            if let Some(mut object) = living.remove(&key) {
                object.version = version;
                changes[step.kind].push((version, News::Deleted(object, version as i64)));
            }
            continue;
        }
        born += 1;
        let uid =
            before.map_or_else(|| format!("{}-{}-{born}", step.kind, step.which), |object| object.uid.to_string());
        let created_ns = before.map_or(version as i64, |object| object.created_ns);
        let object = made(step, &uid, version, created_ns, &living);
        living.insert(key, object.clone());
        changes[step.kind].push((version, News::Applied(object)));
    }
    changes
}

fn made(step: &Step, uid: &str, version: u64, created_ns: i64, living: &BTreeMap<(usize, usize), Object>) -> Object {
    let [a, b, c, d] = step.dice;
    let app = ["a", "b", "c", "d"];
    let uid_of = |kind: usize, which: usize| {
        living.get(&(kind, which)).map_or_else(|| format!("none-{kind}-{which}"), |object| object.uid.to_string())
    };
    let body = match KINDS[step.kind] {
        Kind::Pod => Body::Pod(Box::new(Pod {
            ips: IPS[..c].iter().skip(a % 2).map(|&ip| ip.into()).collect(),
            labels: BTreeMap::from([("app".into(), app[a].into()), ("tier".into(), app[b % 2].into())]).into(),
            host_network: d == 3,
            started_ns: created_ns + b as i64,
            ended_ns: if d == 2 { version as i64 } else { 0 },
            ..Pod::default()
        })),
        Kind::Service => {
            let mut selector = BTreeMap::from([("app".into(), app[a].into()), ("tier".into(), app[b % 2].into())]);
            if c < 2 {
                selector.remove(["app", "tier"][c]);
            }
            if d == 3 {
                selector.clear();
            }
            Body::Service(Service { selector, ..Service::default() })
        }
        Kind::EndpointSlice => Body::EndpointSlice {
            service: format!("1-{}", a % 3),
            pods: [uid_of(0, b % 3), uid_of(0, c % 3)].map(Arc::from).to_vec(),
        },
        Kind::ReplicaSet => Body::ReplicaSet("{}".into()),
        _ => Body::Deployment("{}".into()),
    };
    let owner = match KINDS[step.kind] {
        Kind::Pod if a != 3 => Some(("ReplicaSet", uid_of(2, a % 3), a % 3)),
        Kind::ReplicaSet if b != 3 => Some(("Deployment", uid_of(4, b % 3), b % 3)),
        _ => None,
    };
    let owner =
        owner.map(|(kind, uid, which)| Owner { uid: uid.into(), kind: kind.into(), name: format!("o-{which}") });
    let name = format!("{}-{}", step.kind, step.which);
    let owners = owner.into_iter().collect();
    Object { uid: uid.into(), namespace: "shop".into(), name, version, created_ns, owners, body }
}

/// What a list of the objects of a kind as of a version tells.
fn list(kind: Kind, changes: &[(u64, News)], version: u64, at_ns: i64) -> impl Iterator<Item = News> {
    let mut living = BTreeMap::new();
    for (_, news) in changes.iter().filter(|(at, _)| *at <= version) {
        match news {
            News::Applied(object) => living.insert(object.uid.clone(), object.clone()),
            News::Deleted(object, _) => living.remove(&object.uid),
            News::Listed { .. } => None,
        };
    }
    let uids = living.keys().cloned().collect();
    living.into_values().map(News::Applied).chain([News::Listed { kind, uids, version, at_ns }])
}

/// What arrives, in order: news, or the time until which it has passed.
fn arrivals(history: &[Vec<(u64, News)>], deliveries: &[Delivery]) -> Vec<Result<News, i64>> {
    let mut told = vec![0; KINDS.len()];
    let mut now_ns = 60;
    let mut arrivals = Vec::new();
    let end = 1000;
    for delivery in deliveries {
        match *delivery {
            Delivery::Next { kind, many } => {
                let until = (told[kind] + many).min(history[kind].len());
                arrivals.extend(history[kind][told[kind]..until].iter().map(|(_, news)| Ok(news.clone())));
                told[kind] = until;
            }
            Delivery::Again { kind, back } => {
                let from = told[kind] - back.min(told[kind]);
                arrivals.extend(history[kind][from..told[kind]].iter().map(|(_, news)| Ok(news.clone())));
            }
            Delivery::List { kind, ahead } => {
                told[kind] = (told[kind] + ahead).min(history[kind].len());
                let version = told[kind].checked_sub(1).map_or(0, |last| history[kind][last].0);
                arrivals.extend(list(KINDS[kind], &history[kind], version, now_ns).map(Ok));
            }
            Delivery::Advance(by_ns) => {
                now_ns += by_ns;
                arrivals.push(Err(now_ns));
            }
        }
    }
    for (kind, changes) in history.iter().enumerate() {
        arrivals.extend(list(KINDS[kind], changes, end, now_ns).map(Ok));
    }
    arrivals
}

fn text(row: &Row, column: &str) -> String {
    match &row.values[row.table.column(column).unwrap()] {
        Value::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

fn time(row: &Row, column: &str) -> i64 {
    match &row.values[row.table.column(column).unwrap()] {
        Value::Time(time) => *time,
        other => panic!("{other:?}"),
    }
}

fn rows_of<'a>(rows: &'a Rows, table: &'a str) -> impl Iterator<Item = Row> + 'a {
    let table = watershed_model::tables::by_name(table).unwrap();
    rows.keys().filter(|(name, _)| *name == table.name).map(|(_, values)| Row { table, values: values.clone() })
}

/// Names as a list, from nothing, one or an array.
fn names(text: &str) -> Vec<String> {
    if text.starts_with('[') {
        serde_json::from_str(text).unwrap()
    } else {
        text.split_terminator(' ').map(str::to_owned).collect()
    }
}

fn same(rows: &Rows, naive: &Naive) -> Result<(), TestCaseError> {
    prop_assert!(rows.values().all(|count| *count == 1));
    let pods = naive.pods();
    prop_assert_eq!(rows_of(rows, "k8s.pods").count(), pods.len());
    for row in rows_of(rows, "k8s.pods") {
        let (services, owners, end_ns) = &pods[&text(&row, "pod_id")];
        prop_assert_eq!(&names(&text(&row, "service_name")), services);
        prop_assert_eq!(time(&row, "stop_time"), *end_ns);
        let top = format!("{} {}", text(&row, "owner_kind"), text(&row, "owner_name").trim_start_matches("shop/"));
        prop_assert_eq!(top.trim(), owners.last().map_or("", String::as_str));
        let deployment = owners.iter().find_map(|owner| owner.strip_prefix("Deployment ")).unwrap_or_default();
        let told = text(&row, "deployment_name");
        prop_assert_eq!(told.trim_start_matches("shop/"), deployment);
    }
    for ip in IPS {
        let octets = match ip.parse().unwrap() {
            std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            std::net::IpAddr::V6(ip) => ip.octets(),
        };
        let own: Vec<_> =
            rows_of(rows, "k8s.addresses").filter(|row| row.values[0] == Value::Address(octets)).collect();
        for at_ns in 0..200 {
            let at = own.iter().filter(|row| time(row, "valid_from") <= at_ns);
            let at: Vec<_> = at
                .filter(|row| time(row, "valid_to") == 0 || at_ns < time(row, "valid_to"))
                .map(|row| text(row, "id"))
                .collect();
            prop_assert_eq!(at, naive.owner(ip, at_ns).into_iter().collect::<Vec<_>>(), "{} at {}", ip, at_ns);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn rows_follow_from_what_is_known_whatever_arrives_late_twice_or_out_of_order(
        steps in steps(),
        deliveries in deliveries(),
        every in 1..5_usize,
        most in prop_oneof![0..4_usize, Just(usize::MAX)],
    ) {
        let history = history(&steps);
        let (mut facts, mut rows, mut naive) = (Facts::new(RETENTION_NS), Rows::new(), Naive::default());
        for (position, arrival) in arrivals(&history, &deliveries).into_iter().enumerate() {
            match arrival {
                Ok(news) => {
                    naive.learn(&news);
                    facts.learn(news);
                }
                Err(now_ns) => {
                    naive.forget(now_ns, RETENTION_NS);
                    facts.advance(now_ns);
                }
            }
            if position % every == 0 {
                add(&mut rows, facts.changes_of(most));
            }
        }
        add(&mut rows, facts.changes());
        same(&rows, &naive)?;

        for kind in KINDS {
            facts.learn(News::Listed { kind, uids: Default::default(), version: u64::MAX, at_ns: 10_000 });
        }
        add(&mut rows, facts.changes());
        facts.advance(10_000 + 2 * RETENTION_NS);
        add(&mut rows, facts.changes());
        prop_assert!(rows.is_empty() && facts.is_empty() && facts.index.is_empty() && facts.addresses.is_empty());
        prop_assert!(facts.stopped.is_empty() && facts.dirty.is_empty());
    }
}
