//! Random scripts: relations of a text `k` and a number `m`, put together from all operators, follow the law too.

use proptest::prelude::*;

use super::world::{World, steps};

/// A relation's SQL, without parentheses around it.
type Sql = String;

fn base() -> impl Strategy<Value = Sql> {
    let window = 1_u32..6;
    prop_oneof![
        window.clone().prop_map(|seconds| format!(
            "SELECT reason AS k, count AS m FROM system.losses WHERE time_ > now() - INTERVAL '{seconds} seconds'"
        )),
        window.clone().prop_map(|seconds| format!(
            "SELECT source AS k, bytes AS m FROM system.losses \
             WHERE time_ > now() - INTERVAL '{seconds} seconds' AND time_ < now() - INTERVAL '500 milliseconds'"
        )),
        window.prop_map(|seconds| format!(
            "SELECT comm AS k, exit_code AS m FROM proc_exit_events WHERE time_ > now() - INTERVAL '{seconds} seconds'"
        )),
        Just("SELECT name AS k, pid AS m FROM processes".to_owned()),
        Just("SELECT host AS k, pid AS m FROM processes WHERE pid <> 2".to_owned()),
    ]
}

fn unary(inner: impl Strategy<Value = Sql>) -> impl Strategy<Value = Sql> {
    let filter = prop::sample::select(vec!["m > 1", "k <> 'a'", "m BETWEEN 0 AND 20", "k LIKE 'a%' OR m % 2 = 0"]);
    let map = prop::sample::select(vec![
        "k, m * 2 + 1 AS m",
        "upper(k) AS k, -m AS m",
        "CASE WHEN m > 3 THEN k ELSE 'few' END AS k, m",
        "k || '!' AS k, character_length(k) AS m",
    ]);
    let reduce = prop::sample::select(vec![
        "count(*)",
        "sum(m)",
        "min(m)",
        "max(m)",
        "quantile(m, 0.5)",
        "count(DISTINCT m)",
        "sum(m) FILTER (WHERE m > 2)",
        "count(nullif(m, 1))",
        "sum(nullif(m, 1)) FILTER (WHERE m < 9)",
        "CAST(avg(nullif(m, 2)) * 10 AS BIGINT)",
        "CAST(avg(m) * 10 AS BIGINT)",
    ]);
    let step = prop_oneof![
        filter.prop_map(|filter| format!("SELECT k, m FROM ({{}}) t WHERE {filter}")),
        map.prop_map(|map| format!("SELECT {map} FROM ({{}}) t")),
        reduce.clone().prop_map(|reduce| format!("SELECT k, coalesce({reduce}, 0) AS m FROM ({{}}) t GROUP BY k")),
        reduce.prop_map(|reduce| format!("SELECT 'all' AS k, coalesce({reduce}, 0) AS m FROM ({{}}) t")),
        Just("SELECT DISTINCT k, m FROM ({}) t".to_owned()),
        (1_u32..4).prop_map(|count| format!("SELECT k, m FROM ({{}}) t ORDER BY m DESC, k LIMIT {count}")),
    ];
    (inner, step).prop_map(|(inner, step)| step.replace("{}", &inner))
}

fn binary(left: impl Strategy<Value = Sql>, right: impl Strategy<Value = Sql>) -> impl Strategy<Value = Sql> {
    let step = prop::sample::select(vec![
        "SELECT k, m FROM ({l}) l UNION ALL SELECT k, m FROM ({r}) r",
        "SELECT l.k, l.m + r.m AS m FROM ({l}) l JOIN ({r}) r ON l.k = r.k",
        "SELECT l.k, l.m - r.m AS m FROM ({l}) l JOIN ({r}) r ON l.k = r.k AND l.m > r.m",
        "SELECT l.k, l.m + r.m AS m FROM ({l}) l LEFT JOIN ({r}) r ON l.k = r.k",
        "SELECT r.k, l.m AS m FROM ({l}) l RIGHT JOIN ({r}) r ON l.k = r.k",
        "SELECT l.k || r.k AS k, l.m + r.m AS m FROM ({l}) l FULL JOIN ({r}) r ON l.m = r.m",
        "SELECT l.k, l.m FROM ({l}) l WHERE l.k IN (SELECT r.k FROM ({r}) r)",
        "SELECT l.k, l.m FROM ({l}) l WHERE NOT EXISTS (SELECT 1 FROM ({r}) r WHERE r.k = l.k)",
    ]);
    (left, right, step).prop_map(|(left, right, step)| step.replace("{l}", &left).replace("{r}", &right))
}

fn script() -> impl Strategy<Value = Sql> {
    base().boxed().prop_recursive(4, 8, 2, |inner| {
        let smaller = inner.clone();
        prop_oneof![2 => unary(inner.clone()), 1 => binary(inner, smaller)]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_scripts_follow_the_law(
        scripts in prop::collection::vec(script(), 4..9), steps in steps(), workers in 1_usize..=3, joined in 0_usize..5,
    ) {
        let mut world = World::start(workers);
        for (at, step) in steps.iter().enumerate() {
            if at == joined {
                // The optimiser makes some joins into kinds that are refused as views.
                let followed = scripts.iter().filter(|script| world.can_follow(script)).collect::<Vec<_>>();
                prop_assume!(2 * followed.len() >= scripts.len());
                for script in followed {
                    world.follow(script);
                }
            }
            world.tick(step);
            world.check();
        }
        world.stop();
    }
}
