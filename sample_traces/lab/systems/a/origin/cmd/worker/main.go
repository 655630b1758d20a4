// Command worker works off the outbox: it sums an order up and keeps a line about it. Nobody waits for it.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"seamscope.example/origin/internal/outbox"
	"seamscope.example/origin/internal/telemetry"
	"seamscope.example/origin/internal/witness"
)

const next = `DELETE FROM outbox WHERE id = (SELECT id FROM outbox ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, order_id, topic, traceparent, written`

const sumUp = `SELECT coalesce(sum(p.list_cents), 0) FROM pg_sleep($2::float8) AS slow, order_lines l
 JOIN products p ON p.id = l.product_id WHERE l.order_id = $1`

type worker struct {
	pool  *pgxpool.Pool
	takes time.Duration
}

// one takes a message and works it off; false where none waits.
func (w *worker) one(ctx context.Context) (bool, error) {
	var message outbox.Message
	row := w.pool.QueryRow(ctx, next)
	err := row.Scan(&message.ID, &message.Order, &message.Topic, &message.Traceparent, &message.Written)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	started := witness.Now()
	defer witness.Since(ctx, "job", witness.Own(), started, "a timer around the job")
	return true, outbox.Process(ctx, message, func(ctx context.Context) error {
		var cents int
		if err := w.pool.QueryRow(ctx, sumUp, message.Order, w.takes.Seconds()).Scan(&cents); err != nil {
			return err
		}
		_, err := w.pool.Exec(ctx, "INSERT INTO audit (account_id, at) SELECT account_id, now() FROM orders WHERE id = $1", message.Order)
		return err
	})
}

func main() {
	database := flag.String("database", "postgres://shop@localhost:5432/shop", "where Postgres is")
	takes := flag.Duration("takes", 5*time.Millisecond, "what the statement of a job sleeps")
	every := flag.Duration("every", 150*time.Millisecond, "how often to look for work")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := witness.Open(os.Getenv("WITNESS"), "worker:"+os.Getenv("OTEL_SERVICE_NAME")); err != nil {
		log.Fatal(err)
	}
	flush, err := telemetry.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer flush()
	config, err := pgxpool.ParseConfig(*database)
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 2
	config.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithDisableConnectionDetailsInAttributes())
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	own := &worker{pool, *takes}
	for ctx.Err() == nil {
		found, err := own.one(context.WithoutCancel(ctx))
		if err != nil {
			log.Print(err)
		}
		if !found {
			select {
			case <-ctx.Done():
			case <-time.After(*every):
			}
		}
	}
}
