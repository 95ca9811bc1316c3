import Gateway
import OrderedCollections

/// Finds the place in the configuration of a problem that the gateway names by its own, indexed paths.
struct GatewayProblemLocator {
    let settings: Setting

    /// `contentTypes[1].fields.author.target` is the second entry of the map `contentTypes`, and so on.
    func locate(_ problem: Gateway.ConfigurationProblem) -> ConfigurationProblem {
        var setting = self.settings
        for step in problem.path.split(separator: ".", omittingEmptySubsequences: false) {
            let bracket = step.firstIndex(of: "[")
            let name = String(bracket.map { step[..<$0] } ?? step)
            let index = bracket.flatMap { Int(step[step.index(after: $0)...].dropLast()) }
            let next = self.member(name, of: setting)
            guard next.isSet || index == nil else { break }
            if next.isSet {
                setting = next
            } else if case .members(let members) = setting.value, members[name] != nil {
                // What is missing has no place of its own.
                setting = Setting(path: next.path, origin: setting.origin, value: .unset)
            }
            guard let index else { continue }
            switch setting.value {
            case .list(let elements) where elements.indices.contains(index): setting = elements[index]
            case .members(let members) where members.values.indices.contains(index):
                setting = members.values[index]
            default: break
            }
        }
        let value = problem.value.hasPrefix("(") || problem.value.isEmpty ? nil : problem.value
        return ConfigurationProblem(path: setting.path, origin: setting.origin, value: value, message: problem.advice)
    }

    /// The member of that name; names of content types hold dots, so a step may be only the first part of one.
    private func member(_ name: String, of setting: Setting) -> Setting {
        if case .members(let members) = setting.value, members[name] == nil,
            let longer = members.first(where: { $0.key.hasPrefix(name + ".") })
        {
            return longer.value
        }
        return setting[name]
    }
}
