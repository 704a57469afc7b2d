// Command kstatus says what kstatus, and so Flux and kpt, makes of objects: it
// reads a JSON list of them and writes a JSON list of {"status", "message"}.
package main

import (
	"encoding/json"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	log.SetFlags(0)
	var objects []*unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		log.Fatalf("standard input is no JSON list of objects: %v", err)
	}
	verdicts := make([]verdict, 0, len(objects))
	for number, object := range objects {
		result, err := status.Compute(object)
		if err != nil {
			log.Fatalf("object %d: %v", number, err)
		}
		verdicts = append(verdicts, verdict{string(result.Status), result.Message})
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatal(err)
	}
}
