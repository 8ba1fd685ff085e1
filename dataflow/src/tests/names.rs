//! Names of the bundled map against a naive model: random lives of pods and services, told late, twice and out of order,
//! among random exchanges. At every closed time the map shows what follows from all that was told by then.

mod model;

use arrow::compute::concat_batches;
use datafusion::scalar::ScalarValue;
use proptest::prelude::*;
use watershed_k8s::batches::state_changes;
use watershed_k8s::facts::{Facts, News};
use watershed_model::{Tick, TickTime, tables};

use super::filler::{Filler, address, upid};
use super::world::World;
use model::{Life, Model, SECOND, START_NS, lives, news};

/// Deleted pods are known for longer than the map looks back.
const RETENTION_NS: i64 = 400 * SECOND;

/// Of the map, what has to do with names.
fn map() -> String {
    let map = watershed_query::bundled().iter().find(|script| script.name == "ws/service_map").unwrap();
    format!("SELECT responder, responder_kind, requests FROM ({}) AS map", map.text)
}

/// Others that find spans in their scans, with values that are not sums, and rows that wait before they enter. That
/// they are right is seen by running them once, which names row by row.
fn others() -> [String; 2] {
    let by_pod = |window: &str| {
        format!(
            "SELECT ip_to_pod_name(remote_addr, time_) AS pod, min(time_) AS first, max(latency) AS slowest, \
             count(*) AS n FROM http_events WHERE {window} GROUP BY ip_to_pod_name(remote_addr, time_)"
        )
    };
    [
        by_pod("time_ > now() - INTERVAL '1 minute'"),
        by_pod("time_ > now() - INTERVAL '1 minute' AND time_ < now() - INTERVAL '2 seconds'"),
    ]
}

/// What a tick brings: the pause before it, news by number, and exchanges as milliseconds of age and address.
#[derive(Debug, Clone)]
struct Round {
    pause_ms: u64,
    news: Vec<usize>,
    exchanges: Vec<(u64, u8)>,
}

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let pause_ms = prop_oneof![6 => 0_u64..2_000, 2 => 5_000_u64..30_000, 1 => 100_000_u64..200_000];
    let age = prop_oneof![3 => 0_u64..3_000, 1 => 0_u64..20_000];
    let exchanges = proptest::collection::vec((age, 2_u8..6), 0..25);
    let round = (pause_ms, proptest::collection::vec(0_usize..1_000, 0..6), exchanges);
    let round = round.prop_map(|(pause_ms, news, exchanges)| Round { pause_ms, news, exchanges });
    proptest::collection::vec(round, 4..18)
}

/// The map that is followed, beside the model of it.
struct Names {
    world: World,
    filler: Filler,
    facts: Facts,
    model: Model,
    time_ms: u64,
}

impl Names {
    fn start(workers: usize) -> Self {
        let world = World::start(workers);
        let (filler, facts) = (Filler::new(7), Facts::new(RETENTION_NS));
        Names { world, filler, facts, model: Model::default(), time_ms: (START_NS / 1_000_000) as u64 }
    }

    fn now_ns(&self) -> i64 {
        TickTime(self.time_ms).as_nanoseconds()
    }

    /// One tick; exchanges are (time, address).
    fn tick(&mut self, pause_ms: u64, told: &[News], exchanges: &[(i64, u8)]) {
        self.time_ms += 100 + pause_ms;
        let time = TickTime(self.time_ms);
        let mut tick = Tick { time, ..Tick::default() };
        for news in told {
            self.model.learn(news);
            self.facts.learn(news.clone());
        }
        self.facts.advance(time.as_nanoseconds());
        self.model.advance(time.as_nanoseconds(), RETENTION_NS);
        tick.states = state_changes(&self.facts.changes()).unwrap();
        let rows: Vec<_> = exchanges.iter().map(|(at, last)| exchange(&mut self.filler, time, *at, *last)).collect();
        if !rows.is_empty() {
            tick.events.push(("http_events", concat_batches(&tables::HTTP_EVENTS.storage_schema(), &rows).unwrap()));
        }
        self.model.exchanges.extend(exchanges);
        self.world.tick_with(100 + pause_ms, |_| tick);
    }

    fn check(&mut self) {
        self.world.check();
        assert_eq!(self.world.rows(0), self.model.map(self.now_ns()));
    }
}

/// A client's exchange with an address, by a process that nothing is known of.
fn exchange(filler: &mut Filler, time: TickTime, at_ns: i64, last: u8) -> arrow::array::RecordBatch {
    let number = |name, value| (name, ScalarValue::Int64(Some(value)));
    let given = [
        ("time_", ScalarValue::TimestampNanosecond(Some(at_ns), Some("+00:00".into()))),
        ("upid", upid(1)),
        ("remote_upid", upid(0)),
        ("remote_addr", address(last)),
        ("encrypted", ScalarValue::Boolean(Some(false))),
        number("trace_role", 1),
        number("major_version", 1),
        number("resp_status", 200),
    ];
    filler.row_with(&tables::HTTP_EVENTS, time, &given)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn every_exchange_is_named_by_who_had_its_address_then(
        lives in lives(), rounds in rounds(), workers in 1_usize..=3, joined in 0_usize..4,
    ) {
        let news = news(&lives);
        let mut names = Names::start(workers);
        for (at, round) in rounds.iter().enumerate() {
            if at == joined {
                names.world.follow(&map());
                others().iter().for_each(|other| drop(names.world.follow(other)));
            }
            let told: Vec<_> = round.news.iter().map(|number| news[number % news.len()].clone()).collect();
            let now_ns = TickTime(names.time_ms + 100 + round.pause_ms).as_nanoseconds();
            let exchanges: Vec<_> =
                round.exchanges.iter().map(|(age, last)| (now_ns - *age as i64 * 1_000_000, *last)).collect();
            names.tick(round.pause_ms, &told, &exchanges);
            if at >= joined {
                names.check();
            }
        }
        names.world.stop();
    }
}

fn pod(uid: &str, last: u8, from_ms: i64, to_ms: i64) -> Life {
    let (from_ns, to_ns) = (START_NS + from_ms * 1_000_000, START_NS + to_ms * 1_000_000);
    Life { uid: uid.into(), is_service: false, last, from_ns, to_ns, completes: false }
}

/// A map that is followed, with a pod on 10.0.0.2 until 700 ms and another one from then on, of which nothing is told,
/// and exchanges each 10 ms until 1.2 s.
fn given_on() -> (Names, Vec<News>) {
    let mut names = Names::start(2);
    names.world.follow(&map());
    let exchanges: Vec<_> = (0..120).map(|at| (START_NS + at * 10_000_000, 2)).collect();
    names.tick(1_200, &[], &exchanges);
    (names, news(&[pod("a", 2, -5_000, 700), pod("b", 2, 700, 100_000)]))
}

#[test]
fn traffic_before_its_pod_is_known_is_renamed_by_a_delta_of_its_edge() {
    let (mut names, news) = given_on();
    names.check();
    assert_eq!(names.world.rows(0), ["10.0.0.2|address|120"]);
    names.tick(0, &news[..1], &[]);
    names.check();
    assert_eq!(names.world.rows(0), ["shop/a|pod|120"]);
    names.world.stop();
}

#[test]
fn an_address_given_on_within_a_second_names_both_owners() {
    let (mut names, news) = given_on();
    names.tick(0, &news, &[]);
    names.check();
    assert_eq!(names.world.rows(0), ["shop/a|pod|70", "shop/b|pod|50"]);
    names.world.stop();
}

#[test]
fn a_batch_over_the_change_of_an_owner_names_both_and_whom_it_does_not_concern() {
    let mut names = Names::start(1);
    names.world.follow(&map());
    let lives = [pod("a", 2, -5_000, 700), pod("b", 2, 700, 100_000), pod("c", 3, -5_000, 100_000)];
    names.tick(0, &news(&lives), &[]);
    let exchanges: Vec<_> = (0..120).flat_map(|at| [2, 3].map(|last| (START_NS + at * 10_000_000, last))).collect();
    let before: Vec<_> = exchanges.iter().filter(|(at_ns, _)| *at_ns < START_NS + 500_000_000).copied().collect();
    names.tick(1_200, &[], &before);
    names.check();
    assert_eq!(names.world.rows(0), ["shop/a|pod|50", "shop/c|pod|50"]);
    names.tick(0, &[], &exchanges);
    names.check();
    assert_eq!(names.world.rows(0), ["shop/a|pod|120", "shop/b|pod|50", "shop/c|pod|170"]);
    names.world.stop();
}

#[test]
fn news_in_the_wrong_order_end_in_the_same_names() {
    let (mut names, news) = given_on();
    for news in news.iter().rev() {
        names.tick(0, std::slice::from_ref(news), &[]);
        names.check();
    }
    assert_eq!(names.world.rows(0), ["shop/a|pod|70", "shop/b|pod|50"]);
    names.world.stop();
}

#[test]
fn an_address_of_nobody_is_named_by_itself_before_between_and_after_owners() {
    let mut names = Names::start(1);
    names.world.follow(&map());
    let mut done = pod("done", 2, 200, 400);
    done.completes = true;
    let exchanges: Vec<_> = (0..10).map(|at| (START_NS + at * 100_000_000, 2)).collect();
    names.tick(1_000, &news(&[done]), &exchanges);
    names.check();
    assert_eq!(names.world.rows(0), ["10.0.0.2|address|8", "shop/done|pod|2"]);
    names.world.stop();
}
