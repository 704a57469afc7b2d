// celcost evaluates a ValidatingAdmissionPolicy as an API server does, and says what it cost.
//
// An API server enforces its CEL budget and does not report how much of it was used. This compiles the policy
// with the API server's own library, as a new policy of the given Kubernetes version, and prints for each
// request on standard input whether it is allowed, the message, and the cost of each part.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission"
	plugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	budget "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	kubejson "sigs.k8s.io/json"
)

type review struct {
	Object    map[string]any `json:"object"`
	OldObject map[string]any `json:"oldObject"`
}

type input struct {
	Policy  admissionregistration.ValidatingAdmissionPolicy `json:"policy"`
	Reviews []review                                        `json:"reviews"`
}

type verdict struct {
	Matched        bool   `json:"matched"`
	Allowed        bool   `json:"allowed"`
	Message        string `json:"message"`
	MatchCost      int64  `json:"match_cost"`
	ValidationCost int64  `json:"validation_cost"`
	MessageCost    int64  `json:"message_cost"`
}

type report struct {
	PerExpression int64     `json:"per_expression_limit"`
	PerBinding    int64     `json:"per_binding_budget"`
	Verdicts      []verdict `json:"verdicts"`
}

func main() {
	kubernetes := flag.String("kubernetes", "1.32", "the version whose expressions a new policy may use")
	flag.Parse()
	if err := run(*kubernetes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubernetes string) error {
	var in input
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	// Whole numbers stay whole, as in an API server.
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(raw, &in); err != nil {
		return err
	}
	compiled, err := compile(&in.Policy, version.MustParseGeneric(kubernetes))
	if err != nil {
		return err
	}
	out := report{PerExpression: budget.PerCallLimit, PerBinding: budget.RuntimeCELCostBudget, Verdicts: []verdict{}}
	for _, each := range in.Reviews {
		found, err := compiled.judge(each)
		if err != nil {
			return err
		}
		out.Verdicts = append(out.Verdicts, found)
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

type policy struct {
	matches     plugin.ConditionEvaluator
	validations plugin.ConditionEvaluator
	messages    plugin.ConditionEvaluator
}

// compile does what the API server's plugin does, but takes the expressions for new ones.
func compile(from *admissionregistration.ValidatingAdmissionPolicy, kubernetes *version.Version) (*policy, error) {
	compiler, err := plugin.NewCompositedCompiler(environment.MustBaseEnvSet(kubernetes))
	if err != nil {
		return nil, err
	}
	options := plugin.OptionalVariableDeclarations{}
	for _, item := range from.Spec.Variables {
		variable := &validating.Variable{Name: item.Name, Expression: item.Expression}
		if found := compiler.CompileAndStoreVariable(variable, options, environment.NewExpressions); found.Error != nil {
			return nil, fmt.Errorf("variable %s: %w", item.Name, found.Error)
		}
	}
	var matches, validations, messages []plugin.ExpressionAccessor
	for i := range from.Spec.MatchConditions {
		matches = append(matches, (*matchconditions.MatchCondition)(&from.Spec.MatchConditions[i]))
	}
	for _, item := range from.Spec.Validations {
		validations = append(validations, &validating.ValidationCondition{Expression: item.Expression})
		messages = append(messages, &validating.MessageExpressionCondition{MessageExpression: item.MessageExpression})
	}
	made := &policy{
		matches:     compiler.CompileCondition(matches, options, environment.NewExpressions),
		validations: compiler.CompileCondition(validations, options, environment.NewExpressions),
		messages:    compiler.CompileCondition(messages, options, environment.NewExpressions),
	}
	for _, part := range []plugin.ConditionEvaluator{made.matches, made.validations, made.messages} {
		if errs := part.CompilationErrors(); len(errs) > 0 {
			return nil, errs[0]
		}
	}
	return made, nil
}

func (p *policy) judge(each review) (verdict, error) {
	found := verdict{Allowed: true}
	matched, cost, err := p.evaluate(p.matches, each)
	if err != nil {
		return found, err
	}
	found.MatchCost, found.Matched = cost, true
	for _, item := range matched {
		found.Matched = found.Matched && item == true
	}
	if !found.Matched {
		return found, nil
	}
	validated, cost, err := p.evaluate(p.validations, each)
	if err != nil {
		return found, err
	}
	found.ValidationCost = cost
	messages, cost, err := p.evaluate(p.messages, each)
	if err != nil {
		return found, err
	}
	found.MessageCost = cost
	for i, item := range validated {
		if item != true {
			found.Allowed = false
			found.Message += fmt.Sprint(messages[i])
		}
	}
	return found, nil
}

// evaluate returns the values of the expressions, and what they cost together.
func (p *policy) evaluate(part plugin.ConditionEvaluator, each review) ([]any, int64, error) {
	attributes := attributesOf(each)
	gvr, gvk := metav1.GroupVersionResource(attributes.GetResource()), metav1.GroupVersionKind(attributes.GetKind())
	request := plugin.CreateAdmissionRequest(attributes.Attributes, gvr, gvk)
	results, left, err := part.ForInput(
		context.Background(), attributes, request, plugin.OptionalVariableBindings{}, nil, budget.RuntimeCELCostBudget)
	if err != nil {
		return nil, 0, err
	}
	values := []any{}
	for _, item := range results {
		if item.Error != nil {
			return nil, 0, item.Error
		}
		values = append(values, item.EvalResult.Value())
	}
	return values, budget.RuntimeCELCostBudget - left, nil
}

func attributesOf(each review) *admission.VersionedAttributes {
	object, old := &unstructured.Unstructured{Object: each.Object}, (*unstructured.Unstructured)(nil)
	operation := admission.Create
	var before runtime.Object
	if each.OldObject != nil {
		old, operation = &unstructured.Unstructured{Object: each.OldObject}, admission.Update
		before = old
	}
	gvk := object.GroupVersionKind()
	gvr := gvk.GroupVersion().WithResource("scoringjobs")
	attributes := admission.NewAttributesRecord(
		object, before, gvk, object.GetNamespace(), object.GetName(), gvr, "", operation, nil, false, nil)
	return &admission.VersionedAttributes{
		Attributes: attributes, VersionedObject: object, VersionedOldObject: before, VersionedKind: gvk,
	}
}
