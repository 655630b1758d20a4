// Package outbox hands work to another process through the database: what is written in a transaction with the order
// is worked on later, in a trace of its own that links back to the one that asked.
package outbox

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

var tracer = otel.Tracer("seamscope.example/origin/outbox")

func about(topic, operation string) trace.SpanStartEventOption {
	return trace.WithAttributes(
		attribute.String("messaging.system", "outbox"),
		attribute.String("messaging.destination.name", topic),
		attribute.String("messaging.operation.type", operation),
		attribute.String("messaging.operation.name", operation),
	)
}

// Publish writes a message within the caller's transaction, with the context of a producer span.
func Publish(ctx context.Context, tx pgx.Tx, topic string, order int) error {
	ctx, span := tracer.Start(ctx, "send "+topic, trace.WithSpanKind(trace.SpanKindProducer), about(topic, "send"))
	defer span.End()
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	const write = "INSERT INTO outbox (topic, order_id, traceparent) VALUES ($1, $2, $3)"
	_, err := tx.Exec(ctx, write, topic, order, carrier["traceparent"])
	return err
}

// Message is one that waits.
type Message struct {
	ID          int
	Order       int
	Topic       string
	Traceparent string
	Written     time.Time
}

// Process runs work in a consumer span of a new trace that links to the producer.
func Process(ctx context.Context, message Message, work func(context.Context) error) error {
	carrier := propagation.MapCarrier{"traceparent": message.Traceparent}
	producer := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	ctx, span := tracer.Start(ctx, "process "+message.Topic, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: producer}), about(message.Topic, "process"))
	defer span.End()
	span.SetAttributes(attribute.Int64("messaging.message.age_ms", time.Since(message.Written).Milliseconds()))
	if err := work(ctx); err != nil {
		span.RecordError(err)
		return err
	}
	return nil
}
