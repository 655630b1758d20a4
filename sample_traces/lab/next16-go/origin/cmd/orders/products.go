package main

import (
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
)

type named struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

type rating struct {
	Stars float64
}

type related struct {
	ID    int     `json:"id"`
	Name  string  `json:"name"`
	Stars float64 `json:"stars"`
}

type product struct {
	ID      int       `json:"id"`
	Name    string    `json:"name"`
	Cents   *int      `json:"price_cents"`
	Related []related `json:"related"`
}

const relatedTo = "SELECT id, name FROM products WHERE shelf = (SELECT shelf FROM products WHERE id = $1) AND id <> $1 ORDER BY id LIMIT 14"

// product shows one product and its shelf: one statement for the shelf, then one per neighbour (an N+1).
func (s *service) product(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	id, _ := strconv.Atoi(r.PathValue("id"))
	self, err := row[named](ctx, s.store, "SELECT id, name FROM products WHERE id = $1", id)
	if err != nil {
		fail(w, r, err)
		return
	}
	shelf, err := rows[named](ctx, s.store, relatedTo, id)
	if err != nil {
		fail(w, r, err)
		return
	}
	shown := product{ID: self.ID, Name: self.Name, Related: []related{}}
	for _, neighbour := range shelf {
		const stars = "SELECT coalesce(avg(stars), 0)::float8 FROM reviews WHERE product_id = $1"
		found, err := row[rating](ctx, s.store, stars, neighbour.ID)
		if err != nil {
			fail(w, r, err)
			return
		}
		shown.Related = append(shown.Related, related{neighbour.ID, neighbour.Name, found.Stars})
	}
	prices, err := s.pricing.quotes(ctx, []int{id})
	if err != nil {
		trace.SpanFromContext(ctx).RecordError(err)
	} else if cents, known := prices[id]; known {
		shown.Cents = &cents
	}
	answer(w, http.StatusOK, shown)
}

// quote passes a question on to pricing.
func (s *service) quote(w http.ResponseWriter, r *http.Request) {
	sku, err := strconv.Atoi(r.URL.Query().Get("sku"))
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "sku is not a number"})
		return
	}
	prices, err := s.pricing.quotes(r.Context(), []int{sku})
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, []price{{sku, prices[sku]}})
}

type line struct {
	Region  string `json:"region"`
	Orders  int    `json:"orders"`
	Revenue int    `json:"revenue_cents"`
}

// monthly sums a month up. Its pg_sleep stands for the scan of a table that outgrew its index.
const monthly = `SELECT a.region, count(DISTINCT o.id), coalesce(sum(p.list_cents), 0)
FROM pg_sleep($2::float8) AS slow, orders o JOIN accounts a ON a.id = o.account_id
 JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
WHERE to_char(o.placed, 'YYYY-MM') = $1 GROUP BY a.region ORDER BY 1`

func (s *service) report(w http.ResponseWriter, r *http.Request) {
	if _, err := time.Parse("2006-01", r.PathValue("month")); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "month is not YYYY-MM"})
		return
	}
	found, err := rows[line](r.Context(), s.store, monthly, r.PathValue("month"), s.reportTime.Seconds())
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}
