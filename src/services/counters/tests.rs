use super::*;

fn series(responder: &str, endpoint: &str) -> Series {
    Series { responder: responder.to_owned(), protocol: "http".to_owned(), endpoint: endpoint.to_owned() }
}

fn counts(requests: i64) -> Counts {
    Counts { requests, errors: 1, latency_ns: requests * 3_000_000, within: [requests; BOUNDS.len()] }
}

#[test]
fn a_step_is_counted_once_when_it_is_settled() {
    let mut counters = Counters::default();
    counters.change(20_100, 20_000, series("shop", "GET /"), &counts(2), 1);
    counters.change(24_000, 20_000, series("shop", "GET /"), &counts(2), -1);
    counters.change(24_000, 20_000, series("shop", "GET /"), &counts(5), 1);
    counters.close(34_999);
    assert!(!counters.text().contains("watershed_requests_total{"));
    counters.close(35_000);
    let labels = "{responder=\"shop\",protocol=\"http\",endpoint=\"GET /\"}";
    assert!(counters.text().contains(&format!("watershed_requests_total{labels} 5\n")));
    assert!(counters.text().contains(&format!("watershed_request_duration_seconds_sum{labels} 0.015\n")));
    // Rows that leave the view as they age take nothing back.
    counters.change(70_000, 20_000, series("shop", "GET /"), &counts(5), -1);
    counters.change(70_000, 20_000, series("shop", "GET /"), &counts(4), 1);
    counters.close(90_000);
    assert!(counters.text().contains(&format!("watershed_requests_total{labels} 5\n")));
    assert!(counters.text().contains("watershed_request_corrections_total 0\n"));
}

#[test]
fn a_name_that_comes_in_time_is_the_one_that_is_counted_and_a_later_one_is_told() {
    let mut counters = Counters::default();
    let (unnamed, named) = (series("10.0.0.1", "GET /"), series("shop", "GET /"));
    counters.change(20_100, 20_000, unnamed.clone(), &counts(2), 1);
    counters.change(24_000, 20_000, unnamed, &counts(2), -1);
    counters.change(24_000, 20_000, named.clone(), &counts(2), 1);
    counters.close(35_000);
    counters.change(36_000, 20_000, named, &counts(2), -1);
    counters.change(36_000, 20_000, series("shop/web", "GET /"), &counts(2), 1);
    counters.close(50_000);
    let text = counters.text();
    assert!(text.contains("watershed_requests_total{responder=\"shop\",protocol=\"http\",endpoint=\"GET /\"} 2\n"));
    assert!(!text.contains("shop/web"), "{text}");
    assert!(text.contains("watershed_request_corrections_total 1\n"));
}

#[test]
fn series_are_bounded_and_no_request_is_lost_by_it() {
    let mut counters = Counters::default();
    for n in 0..3 * MOST_SERIES {
        counters.change(20_100, 20_000, series(&format!("service-{}", n % 1_500), &format!("GET /{n}")), &counts(1), 1);
    }
    counters.close(60_000);
    assert_eq!(counters.totals.len(), MOST_SERIES + 1);
    assert_eq!(counters.totals.values().map(|counts| counts.requests).sum::<i64>(), 3 * MOST_SERIES as i64);
    assert!(counters.text().contains("responder=\"other\""));
}
