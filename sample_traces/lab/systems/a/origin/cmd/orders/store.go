package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"seamscope.example/origin/internal/witness"
)

// errNone says that there is no such row.
var errNone = errors.New("no such row")

// store is the database behind a bounded pool.
type store struct {
	pool  *pgxpool.Pool
	owner string
}

// queriesOnly is otelpgx without the spans of the pool: what a team sees that traces pgx.Conn and not pgxpool.
type queriesOnly struct{ pgx.QueryTracer }

// openStore prepares a pool of at most limit connections; it opens none before it needs one.
func openStore(ctx context.Context, dsn string, limit int32, phases bool) (*store, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	config.MaxConns = limit
	config.ConnConfig.Tracer = otelpgx.NewTracer()
	if !phases {
		config.ConnConfig.Tracer = queriesOnly{otelpgx.NewTracer()}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	return &store{pool, "data:postgres/" + config.ConnConfig.Database}, nil
}

// with lends a connection to use, and notes how long the pool let us wait and how long the work then took.
func (s *store) with(ctx context.Context, use func(*pgxpool.Conn) error) error {
	asked := witness.Now()
	conn, err := s.pool.Acquire(ctx)
	witness.Since(ctx, "pool_wait", witness.Own(), asked, "a timer around the pool's Acquire")
	if err != nil {
		return err
	}
	defer conn.Release()
	got := witness.Now()
	err = use(conn)
	witness.Since(ctx, "query", s.owner, got, "a timer around the statement, its connection in hand")
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
