//! Endpoints with stars, and the functions that have no model.

use super::super::tests::check;

#[test]
fn a_star_is_one_segment() {
    check(&[
        ("px__match_endpoint('/a/17/b', '/a/*/b')", "true"),
        ("px__match_endpoint('/a/17/b?c=/d', '/a/*/b')", "true"),
        ("px__match_endpoint('/a/b', '/a/*/b')", "false"),
        ("px__match_endpoint('/a/1/2/b', '/a/*/b')", "false"),
        ("px__match_endpoint('', '')", "true"),
        ("px__match_endpoint('/ä', '/*')", "true"),
    ]);
}

#[test]
fn what_has_no_model_is_empty() {
    check(&[
        ("px__text_embedding('a') = ''", "true"),
        ("px__kmeans_inference('a', 'b')", "0"),
        ("px__predict_request_path_cluster('/a', '') = ''", "true"),
        ("px__encode_sentence_piece(NULL)", "NULL"),
    ]);
}
