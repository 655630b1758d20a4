-- A code's word in a vocabulary; null for 255 ('not known') and for codes of a later release.
-- Picking from a constant list costs 20 ms per million rows, joining a table of words 28 ms.
CREATE OR REPLACE MACRO base.word(words, code) AS words[code::BIGINT + 1];
CREATE OR REPLACE MACRO base.tier_word(code) AS base.word({TIERS}, code);
CREATE OR REPLACE MACRO base.cause_word(code) AS base.word({CAUSES}, code);
CREATE OR REPLACE MACRO base.evidence_word(code) AS base.word({EVIDENCE}, code);
CREATE OR REPLACE MACRO base.horizon_word(code) AS base.word({HORIZONS}, code);
CREATE OR REPLACE MACRO base.request_kind_word(code) AS base.word({REQUEST_KINDS}, code);
CREATE OR REPLACE MACRO base.span_kind_word(code) AS base.word({SPAN_KINDS}, code);
CREATE OR REPLACE MACRO base.status_word(code) AS base.word({STATUSES}, code);
CREATE OR REPLACE MACRO base.gap_kind_word(code) AS base.word({GAP_KINDS}, code);
CREATE OR REPLACE MACRO base.joined_by_word(code) AS base.word({JOINED_BY}, code);
CREATE OR REPLACE MACRO base.warning_word(code) AS base.word({WARNINGS}, code);
CREATE OR REPLACE MACRO base.finding_word(code) AS base.word({FINDINGS}, code);
CREATE OR REPLACE MACRO base.role_word(code) AS base.word({ROLES}, code);
CREATE OR REPLACE MACRO base.extent_word(code) AS base.word({EXTENTS}, code);
