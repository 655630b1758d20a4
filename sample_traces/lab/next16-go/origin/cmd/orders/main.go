// Command orders is the origin: it answers the edge from Postgres and asks pricing what things cost.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"seamscope.example/origin/internal/telemetry"
	"seamscope.example/origin/internal/witness"
)

func routes(s *service) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/me", s.me)
	mux.HandleFunc("GET /v1/orders", s.orders)
	mux.HandleFunc("POST /v1/orders", s.place)
	mux.HandleFunc("POST /v1/audit", s.audit)
	mux.HandleFunc("GET /v1/recommendations", s.recommendations)
	mux.HandleFunc("GET /v1/products/{id}", s.product)
	mux.HandleFunc("GET /v1/quote", s.quote)
	mux.HandleFunc("GET /v1/reports/{month}", s.report)
	return otelhttp.NewHandler(telemetry.KeepRequestID(mux), "orders")
}

func main() {
	address := flag.String("address", "127.0.0.1:20811", "where to listen")
	database := flag.String("database", "postgres://shop@localhost:20813/shop", "where Postgres is")
	pool := flag.Int("pool", 10, "database connections at most")
	pricingURL := flag.String("pricing", "http://localhost:20812", "where pricing is")
	trust := flag.String("trust", "", "certificate of pricing")
	reportTime := flag.Duration("report-time", 15*time.Millisecond, "what a report's statement sleeps")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := witness.Open(os.Getenv("WITNESS")); err != nil {
		log.Fatal(err)
	}
	flush, err := telemetry.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer flush()
	shop, err := openStore(context.WithoutCancel(ctx), *database, int32(*pool))
	if err != nil {
		log.Fatal(err)
	}
	defer shop.pool.Close()
	prices, err := openPricing(*pricingURL, *trust)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Addr:              *address,
		Handler:           routes(&service{shop, prices, *reportTime}),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.WithoutCancel(ctx))
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Print(err)
	}
}
