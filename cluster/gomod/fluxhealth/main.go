// Command fluxhealth evaluates the health check expressions of a Flux
// Kustomization as its controller does. It reads {"expressions": {"current",
// "failed", "inProgress"}, "objects": [...]} and writes a JSON list of
// {"status", "message"}.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type question struct {
	Expressions kustomize.HealthCheckExpressions `json:"expressions"`
	Objects     []*unstructured.Unstructured     `json:"objects"`
}

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	log.SetFlags(0)
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatalf("standard input: %v", err)
	}
	evaluator, err := cel.NewStatusEvaluator(&asked.Expressions)
	if err != nil {
		log.Fatal(err)
	}
	verdicts := make([]verdict, 0, len(asked.Objects))
	for number, object := range asked.Objects {
		result, err := evaluator.Evaluate(context.Background(), object)
		if err != nil {
			log.Fatalf("object %d: %v", number, err)
		}
		verdicts = append(verdicts, verdict{string(result.Status), result.Message})
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
