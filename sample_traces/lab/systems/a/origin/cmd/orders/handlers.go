package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"seamscope.example/origin/internal/outbox"
)

// service answers the edge: orders, products, recommendations, reports.
type service struct {
	store   *store
	pricing *pricing
	carrier *carrier
	slow    slowness
}

// slowness is how many milliseconds the statements of a route sleep: it stands for tables that outgrew their indexes.
type slowness map[string]float64

// of is the seconds to sleep for a route, a fifth more or less.
func (s slowness) of(route string) float64 { return s[route] / 1e3 * (0.8 + 0.4*rand.Float64()) }

// scope says on the server span whom an answer may be kept for.
func scope(ctx context.Context, whom string) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("seamscope.cache.scope", whom))
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// fail says on the span and to the caller what went wrong.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNone) {
		answer(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		return
	}
	span := trace.SpanFromContext(r.Context())
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
	answer(w, http.StatusBadGateway, map[string]string{"error": err.Error()})
}

// userOf is who asks: the session's user, checked against the users we have. The signature was the edge's business.
func (s *service) userOf(r *http.Request) int {
	session := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	number, _, _ := strings.Cut(session, ".")
	user, _ := strconv.Atoi(number)
	return user
}

type account struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	Plan string `json:"plan"`
}

func (s *service) me(w http.ResponseWriter, r *http.Request) {
	scope(r.Context(), "personalised")
	const who = "SELECT id, name, plan FROM pg_sleep($2::float8) AS slow, accounts WHERE id = $1"
	found, err := row[account](r.Context(), s.store, who, s.userOf(r), s.slow.of("me"))
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}

type order struct {
	ID     int    `json:"id"`
	Placed string `json:"placed"`
	SKU    int    `json:"sku"`
	Items  int    `json:"items"`
	Total  int    `json:"total_cents"`
}

const ordersOf = `SELECT o.id, to_char(o.placed, 'YYYY-MM-DD'), min(l.product_id), count(*), 0
FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.account_id = $1
GROUP BY o.id ORDER BY o.placed DESC, o.id LIMIT 12`

// orders lists the caller's latest orders at today's prices.
func (s *service) orders(w http.ResponseWriter, r *http.Request) {
	user := s.userOf(r)
	if asked := r.URL.Query().Get("user"); asked != "" && asked != strconv.Itoa(user) {
		answer(w, http.StatusForbidden, map[string]string{"error": "not your orders"})
		return
	}
	found, err := rows[order](r.Context(), s.store, ordersOf, user)
	if err != nil {
		fail(w, r, err)
		return
	}
	skus := make([]int, 0, len(found))
	for _, one := range found {
		skus = append(skus, one.SKU)
	}
	prices, err := s.pricing.quotes(r.Context(), skus)
	if err != nil {
		fail(w, r, err)
		return
	}
	for i := range found {
		found[i].Total = prices[found[i].SKU] * found[i].Items
	}
	answer(w, http.StatusOK, found)
}

// place writes an order and its lines in one transaction.
func (s *service) place(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		SKUs []int `json:"skus"`
	}
	if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || len(wanted.SKUs) == 0 {
		answer(w, http.StatusBadRequest, map[string]string{"error": "no products"})
		return
	}
	var id int
	err := s.store.with(r.Context(), func(conn *pgxpool.Conn) error {
		tx, err := conn.Begin(r.Context())
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(r.Context())) }()
		made := tx.QueryRow(r.Context(), "INSERT INTO orders (account_id, placed) VALUES ($1, now()) RETURNING id", s.userOf(r))
		if err := made.Scan(&id); err != nil {
			return err
		}
		const lines = "INSERT INTO order_lines (order_id, product_id) SELECT $1, unnest($2::int[])"
		if _, err := tx.Exec(r.Context(), lines, id, wanted.SKUs); err != nil {
			return err
		}
		if err := outbox.Publish(r.Context(), tx, "order.placed", id); err != nil {
			return err
		}
		return tx.Commit(r.Context())
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusCreated, map[string]int{"id": id})
}

// audit keeps a line that nobody waits for.
func (s *service) audit(w http.ResponseWriter, r *http.Request) {
	err := s.store.with(r.Context(), func(conn *pgxpool.Conn) error {
		_, err := conn.Exec(r.Context(), "INSERT INTO audit (account_id, at) VALUES ($1, now())", s.userOf(r))
		return err
	})
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]bool{"kept": true})
}

type pick struct {
	Product int     `json:"product"`
	Name    string  `json:"name"`
	Score   float64 `json:"score"`
}

// bought is what people who bought the caller's products also bought: the heavy statement of the house.
const bought = `WITH mine AS (SELECT DISTINCT l.product_id FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.account_id = $1 LIMIT 12),
 others AS (SELECT DISTINCT o.account_id FROM mine m JOIN order_lines l USING (product_id) JOIN orders o ON o.id = l.order_id LIMIT 40)
SELECT p.id, p.name, count(*)::float8 FROM others x JOIN orders o USING (account_id) JOIN order_lines l ON l.order_id = o.id
 JOIN products p ON p.id = l.product_id WHERE p.id NOT IN (SELECT product_id FROM mine)
GROUP BY p.id, p.name ORDER BY 3 DESC, 1 LIMIT 5`

func (s *service) recommendations(w http.ResponseWriter, r *http.Request) {
	found, err := rows[pick](r.Context(), s.store, bought, s.userOf(r))
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}
