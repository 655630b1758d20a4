// Command orders is the origin: it answers the edge from Postgres and asks pricing what things cost.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"seamscope.example/origin/internal/telemetry"
	"seamscope.example/origin/internal/witness"
)

// routes below a prefix, such as /v1.
func routes(s *service, prefix string) http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /me": s.me, "GET /orders": s.orders, "POST /orders": s.place, "POST /audit": s.audit,
		"GET /recommendations": s.recommendations, "GET /products/{id}": s.product, "GET /quote": s.quote,
		"GET /reports/{month}": s.report, "GET /stock/{id}": s.stock, "GET /banner": s.banner,
		"GET /catalog": s.catalog, "GET /shipping/{id}": s.shipping,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+prefix+path, handle)
	}
	return witness.Handler(otelhttp.NewHandler(telemetry.KeepRequestID(mux), "orders"))
}

// Set reads route=milliseconds pairs with commas between.
func (s slowness) Set(text string) error {
	for _, pair := range strings.Split(text, ",") {
		route, ms, _ := strings.Cut(pair, "=")
		value, err := strconv.ParseFloat(ms, 64)
		if err != nil {
			return fmt.Errorf("%q is not route=milliseconds", pair)
		}
		s[route] = value
	}
	return nil
}

func (s slowness) String() string { return "" }

func main() {
	slow := slowness{"report": 15}
	at := peer{}
	address := flag.String("address", "127.0.0.1:8080", "where to listen")
	prefix := flag.String("prefix", "/v1", "what routes begin with")
	database := flag.String("database", "postgres://shop@localhost:5432/shop", "where Postgres is")
	pool := flag.Int("pool", 10, "database connections at most")
	carrierURL := flag.String("carrier", "http://localhost:8090", "where the carrier is")
	flag.StringVar(&at.url, "pricing", "http://localhost:8081", "where pricing is")
	flag.StringVar(&at.owner, "pricing-owner", "origin:pricing", "what witness lines call pricing")
	flag.StringVar(&at.trust, "trust", "", "certificate of pricing")
	flag.IntVar(&at.connections, "pricing-connections", 0, "connections to pricing at most; 0: no limit")
	flag.DurationVar(&at.idle, "pricing-idle", 90*time.Second, "how long an idle connection to pricing is kept")
	flag.DurationVar(&at.timeout, "pricing-timeout", 0, "of an attempt, before a second; 0: one attempt")
	flag.BoolVar(&at.phases, "phases", true, "spans for connections and pools")
	flag.Var(slow, "slow", "milliseconds that statements of a route sleep: report=15,stock=30")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := witness.Open(os.Getenv("WITNESS"), "origin:"+os.Getenv("OTEL_SERVICE_NAME")); err != nil {
		log.Fatal(err)
	}
	flush, err := telemetry.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer flush()
	shop, err := openStore(context.WithoutCancel(ctx), *database, int32(*pool), at.phases)
	if err != nil {
		log.Fatal(err)
	}
	defer shop.pool.Close()
	prices, err := openPricing(at)
	if err != nil {
		log.Fatal(err)
	}
	parcels := &carrier{*carrierURL, traced(http.DefaultTransport, at.phases)}
	server := &http.Server{
		Addr:              *address,
		Handler:           routes(&service{shop, prices, parcels, slow}, *prefix),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() {
		<-ctx.Done()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(closing)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Print(err)
	}
}
