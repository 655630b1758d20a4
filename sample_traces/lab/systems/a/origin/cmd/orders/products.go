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
		const stars = "SELECT coalesce(avg(stars), 0)::float8 FROM pg_sleep($2::float8) AS slow LEFT JOIN reviews ON product_id = $1"
		found, err := row[rating](ctx, s.store, stars, neighbour.ID, s.slow.of("stars"))
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
WHERE o.placed >= $1::timestamptz AND o.placed < $1::timestamptz + interval '1 month' GROUP BY a.region ORDER BY 1`

func (s *service) report(w http.ResponseWriter, r *http.Request) {
	month, err := time.Parse("2006-01", r.PathValue("month"))
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "month is not YYYY-MM"})
		return
	}
	found, err := rows[line](r.Context(), s.store, monthly, month, s.slow.of("report"))
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}

type stock struct {
	ID    int `json:"id"`
	Count int `json:"count"`
	Next  int `json:"next"`
}

// stockOf counts what is on the shelf of a product, and names the product that replaces it when there is none.
const stockOf = "SELECT id, 3 + id % 17, 1 + (id * 7919 + 13) % 600 FROM pg_sleep($2::float8) AS slow, products WHERE id = $1"

func (s *service) stock(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	found, err := row[stock](r.Context(), s.store, stockOf, id, s.slow.of("stock"))
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}

type banner struct {
	Text string `json:"text"`
}

// banner is an advertisement that no page needs.
func (s *service) banner(w http.ResponseWriter, r *http.Request) {
	const text = "SELECT 'Now 10 % off ' || max(name) FROM pg_sleep($1::float8) AS slow, products"
	found, err := row[banner](r.Context(), s.store, text, s.slow.of("banner"))
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}

type shelf struct {
	Shelf int `json:"shelf"`
	Count int `json:"products"`
}

// catalog is the same for everybody and changes once a day.
func (s *service) catalog(w http.ResponseWriter, r *http.Request) {
	scope(r.Context(), "public")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	const shelves = "SELECT shelf, count(*) FROM pg_sleep($1::float8) AS slow, products GROUP BY shelf ORDER BY shelf"
	found, err := rows[shelf](r.Context(), s.store, shelves, s.slow.of("catalog"))
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}

// shipping passes a question on to the carrier.
func (s *service) shipping(w http.ResponseWriter, r *http.Request) {
	cents, err := s.carrier.rate(r.Context(), r.PathValue("id"))
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]int{"cents": cents})
}
