package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"seamscope.example/origin/internal/witness"
)

// errNone says that there is no such row.
var errNone = errors.New("no such row")

// store is the database behind a bounded pool.
type store struct{ pool *pgxpool.Pool }

// openStore prepares a pool of at most limit connections; it opens none before it needs one.
func openStore(ctx context.Context, dsn string, limit int32) (*store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	config.MaxConns = limit
	config.ConnConfig.Tracer = otelpgx.NewTracer()
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	return &store{pool}, nil
}

// with lends a connection to use, and notes how long the pool let us wait and how long the work then took.
func (s *store) with(ctx context.Context, use func(*pgxpool.Conn) error) error {
	asked := time.Now()
	conn, err := s.pool.Acquire(ctx)
	got := time.Now()
	witness.Note(ctx, "pool_wait", got.Sub(asked))
	if err != nil {
		return err
	}
	defer conn.Release()
	err = use(conn)
	witness.Note(ctx, "query", time.Since(got))
	return err
}

// rows runs one statement and collects what it returns.
func rows[T any](ctx context.Context, s *store, sql string, args ...any) ([]T, error) {
	var found []T
	err := s.with(ctx, func(conn *pgxpool.Conn) error {
		result, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(result, pgx.RowToStructByPos[T])
		return err
	})
	return found, err
}

// row runs one statement and gives its first row, or errNone.
func row[T any](ctx context.Context, s *store, sql string, args ...any) (T, error) {
	found, err := rows[T](ctx, s, sql, args...)
	if err == nil && len(found) == 0 {
		err = errNone
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}
